// SPDX-License-Identifier: MIT
// Clusters of several threads of one process, beside that of the main thread; one of them is terminated with its worker alive.
const cluster = require('node:cluster');
const net = require('node:net');
const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads');

function play(name, say, done) {
  const worker = cluster.fork({ NAME: name });
  say(`${name} ${worker.id} ${Object.keys(cluster.workers)}`);
  worker.on('listening', ({ port }) => {
    net.connect(port, '127.0.0.1').setEncoding('utf8').on('data', (text) => {
      say(`${name} ${text}`);
      if (name === 'terminated') return parentPort.postMessage('terminate');
      worker.disconnect();
    });
  });
  worker.on('exit', (code, signal) => {
    say(`${name} exit ${code} ${signal} ${worker.exitedAfterDisconnect}`);
    done();
  });
}

if (!isMainThread) {
  play(workerData, (text) => parentPort.postMessage(text), () => {});
} else if (cluster.isPrimary) {
  cluster.setupPrimary({ exec: process.argv[1] });
  const names = ['first', 'second', 'terminated'];
  const start = () => {
    const name = names.shift();
    if (!name) return play('main', console.log, () => console.log('main', 'done'));
    const thread = new Worker(process.argv[1], { workerData: name });
    thread.on('message', (text) => {
      if (text === 'terminate') thread.terminate();
      else console.log(text);
    });
    thread.on('error', (error) => console.log(name, error.message));
    thread.on('exit', (code) => {
      console.log(name, 'thread exit', code);
      if (name !== 'second') start();
    });
    if (name === 'first') start();
  };
  start();
} else {
  net.createServer((socket) => socket.end(`from ${process.env.NAME}`)).listen(0, '127.0.0.1');
}
