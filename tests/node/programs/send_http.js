// SPDX-License-Identifier: MIT
// A connection that the primary accepted is a request in a worker.
const cluster = require('node:cluster');
const http = require('node:http');
const net = require('node:net');

if (cluster.isPrimary) {
  const worker = cluster.fork();
  const server = net.createServer({ pauseOnConnect: true }, (socket) => worker.send('connection', socket));
  worker.on('message', (message) => {
    console.log('worker', message);
    if (message !== 'ready') return;
    server.listen(0, '127.0.0.1', () => {
      http.get({ port: server.address().port, host: '127.0.0.1', agent: false }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (data) => text += data).on('end', () => {
          console.log('answer', response.statusCode, text);
          server.close(() => worker.disconnect());
        });
      });
    });
  });
  worker.on('exit', (code, signal) => console.log('exit', code, signal));
} else {
  const server = http.createServer((request, response) => {
    process.send(`server ${request.socket.server === server}`, () => response.end('from the worker'));
  });
  process.on('message', (message, socket) => {
    process.send(`socket ${socket instanceof net.Socket} ${socket.server}`);
    server.emit('connection', socket);
    socket.resume();
  });
  process.send('ready');
}
