// SPDX-License-Identifier: MIT
// Threads: in a worker beside its server, and in the primary, where a thread may have a cluster of its own to look at.
const cluster = require('node:cluster');
const net = require('node:net');
const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads');

const script = process.argv[1];

function thread(name, done) {
  new Worker(script, { workerData: name }).on('message', (text) => console.log(name, text)).on('error', (error) => console.log(name, error.message))
    .on('exit', (code) => {
      console.log(name, 'thread exit', code);
      done();
    });
}

if (!isMainThread) {
  parentPort.postMessage(`${cluster.isPrimary} ${cluster.isWorker} ${typeof cluster.fork} ${JSON.stringify(cluster.settings)} ${cluster.worker?.id}`);
  parentPort.postMessage(`${workerData} ${process.connected} ${typeof process.send}`);
} else if (cluster.isPrimary) {
  const worker = cluster.fork();
  worker.on('message', (message) => console.log('worker', message));
  worker.on('listening', ({ port }) => {
    thread('primary', () => {
      net.connect(port, '127.0.0.1').setEncoding('utf8').on('data', (text) => console.log('client', text)).on('close', () => worker.disconnect());
    });
  });
  worker.on('exit', (code, signal) => console.log('exit', code, signal));
} else {
  net.createServer((socket) => {
    const echo = new Worker("const { parentPort } = require('node:worker_threads'); parentPort.once('message', (text) => parentPort.postMessage(text.toUpperCase()))", { eval: true });
    let answer;
    echo.on('message', (text) => answer = text).on('exit', (code) => process.send(`thread exit ${code}`, () => socket.end(answer)));
    echo.postMessage('by a thread');
  }).listen(0, '127.0.0.1');
}
