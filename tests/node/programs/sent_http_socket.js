// SPDX-License-Identifier: MIT
// An HTTP server's socket that is sent lets go of its parser and of the answer.
const cluster = require('node:cluster');
const http = require('node:http');
const net = require('node:net');

if (cluster.isPrimary) {
  const worker = cluster.fork();
  const server = http.createServer((request, response) => {
    const { socket } = request;
    console.log('before', socket.parser !== null, response.socket === socket, socket._httpMessage === response);
    worker.send('take', socket);
    console.log('after', socket.parser, response.socket, socket._httpMessage);
    response.on('error', (error) => console.log('error', error.code));
    response.end('never read');
  });
  worker.on('message', () => server.listen(0, '127.0.0.1', () => {
    const client = net.connect(server.address().port, '127.0.0.1', () => client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'));
    client.setEncoding('utf8').on('data', (text) => console.log('client', text));
    client.on('close', () => {
      worker.disconnect();
      worker.on('exit', () => process.exit());
    });
  }));
} else {
  process.send('here');
  process.on('message', (message, socket) => socket.end('from the worker'));
}
