// SPDX-License-Identifier: MIT
// Ten thousand messages and many handles leave no descriptor behind, and no memory that grows with them.
const cluster = require('node:cluster');
const fs = require('node:fs');
const net = require('node:net');

const messages = 5_000;
const sockets = 300;
const rounds = 2;

const descriptors = () => fs.readdirSync('/proc/self/fd').length;

if (cluster.isPrimary) {
  const worker = cluster.fork();
  const server = net.createServer({ pauseOnConnect: true }, (socket) => worker.send('socket', socket));
  let before;
  let memory;
  let round = 0;
  worker.on('message', (message) => {
    if (message === 'ready') {
      server.listen(0, '127.0.0.1', () => {
        connect(50, () => {
          before = descriptors();
          play();
        });
      });
    } else if (message === messages) {
      connect(sockets, () => {
        // What the last client had may be on its way to being closed.
        setImmediate(() => {
          console.log('round', round, descriptors() - before <= 2);
          if (round === 1) memory = process.memoryUsage().rss;
          if (round < rounds) return play();
          console.log('grown', process.memoryUsage().rss - memory > 40 * 2 ** 20);
          server.close();
          worker.send({ descriptors: true });
        });
      });
    } else {
      console.log('worker', message.descriptors);
      worker.disconnect();
    }
  });
  worker.on('exit', (code, signal) => console.log('exit', code, signal));

  function play() {
    ++round;
    for (let i = 1; i <= messages; i++) worker.send(i);
  }
  // One after the other, some at a time.
  function connect(count, done) {
    let left = count;
    let started = 0;
    const start = () => {
      if (started++ >= count) return;
      net.connect(server.address().port, '127.0.0.1').resume().on('close', () => {
        start();
        if (--left === 0) done();
      });
    };
    for (let i = 0; i < 20; i++) start();
  }
} else {
  let before;
  process.on('message', (message, socket) => {
    if (socket) return socket.end('there');
    before ??= descriptors();
    if (message.descriptors) process.send({ descriptors: descriptors() - before <= 20 });
    else if (message === messages) process.send(messages);
  });
  process.send('ready');
}
