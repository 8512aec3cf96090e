// SPDX-License-Identifier: MIT
// A worker that is disconnected lives as long as a connection that it made.
const cluster = require('node:cluster');
const net = require('node:net');

if (cluster.isPrimary) {
  const server = net.createServer((socket) => {
    worker.disconnect();
    worker.on('disconnect', () => {
      console.log('disconnect', worker.isDead());
      socket.write('are you there');
    });
    socket.setEncoding('utf8').on('data', (text) => {
      console.log('answer', text, worker.isDead());
      socket.end();
    });
    server.close();
  });
  const worker = cluster.fork();
  worker.once('message', () => server.listen(0, '127.0.0.1', () => worker.send(server.address().port)));
  worker.on('exit', (code, signal) => console.log('exit', code, signal, worker.exitedAfterDisconnect));
} else {
  process.once('message', (port) => {
    const socket = net.connect(port, '127.0.0.1').setEncoding('utf8');
    socket.on('data', () => socket.write(`yes ${process.connected}`));
  });
  process.send('ready');
}
