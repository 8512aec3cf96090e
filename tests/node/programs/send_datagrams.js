// SPDX-License-Identifier: MIT
// A datagram socket that the primary and a worker have together: what comes is read by one of them.
const cluster = require('node:cluster');
const dgram = require('node:dgram');

if (cluster.isPrimary) {
  const worker = cluster.fork();
  const socket = dgram.createSocket('udp4');
  const client = dgram.createSocket('udp4');
  let port;
  // Only one reads at a time: the primary before it has sent the socket, the worker when the primary reads no more.
  socket.on('message', (data) => {
    console.log('primary', String(data));
    worker.send('shared', socket, (error) => {
      console.log('sent', error);
    });
  });
  worker.on('message', (message) => {
    console.log('worker', message);
    if (message === 'ready') {
      socket.bind(0, '127.0.0.1', () => {
        port = socket.address().port;
        client.send('one', port, '127.0.0.1');
      });
    } else if (message === 'bound') {
      socket.close(() => client.send('two', port, '127.0.0.1'));
    } else {
      client.close();
      worker.disconnect();
    }
  });
} else {
  process.on('message', (message, socket) => {
    socket.on('message', (data) => {
      process.send(String(data));
      socket.close();
    });
    process.send('bound');
  });
  process.send('ready');
}
