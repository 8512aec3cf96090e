// SPDX-License-Identifier: MIT
const cluster = require('node:cluster');
const dgram = require('node:dgram');

if (cluster.isPrimary) {
  const ports = new Set();
  let listening = 0;
  cluster.fork();
  cluster.fork();
  cluster.on('listening', (worker, { address, addressType, port }) => {
    console.log(worker.id, 'listening', address, addressType);
    ports.add(port);
    if (++listening < 2) return;
    console.log('ports', ports.size);
    const socket = dgram.createSocket('udp4');
    socket.send('hello', port, '127.0.0.1', () => socket.close());
  });
  cluster.on('message', (worker, message) => {
    console.log('message', message);
    cluster.disconnect();
  });
  cluster.on('exit', (worker, code) => console.log(worker.id, 'exit', code));
} else {
  const socket = dgram.createSocket('udp4');
  socket.on('message', (data) => process.send(String(data)));
  socket.bind(0, '127.0.0.1');
}
