// SPDX-License-Identifier: MIT
// Sockets, a server and a datagram socket to a worker, and back.
const cluster = require('node:cluster');
const dgram = require('node:dgram');
const net = require('node:net');

if (cluster.isPrimary) {
  const worker = cluster.fork();
  const server = net.createServer({ pauseOnConnect: true });
  server.on('connection', (socket) => {
    worker.send('socket', socket, (error) => console.log('socket sent', error));
    server.getConnections((error, count) => console.log('count', error, count));
  });
  worker.once('message', () => server.listen(0, '127.0.0.1', () => {
    const client = net.connect(server.address().port, '127.0.0.1').setEncoding('utf8');
    let got = '';
    client.on('data', (text) => {
      got += text;
      client.end();
    });
    client.on('close', () => {
      console.log('client got', got);
      server.close(() => console.log('server closed'));
      const second = net.createServer().listen(0, '127.0.0.1', () => worker.send('server', second, () => second.close()));
    });
  }));
  worker.on('message', (message, handle) => {
    console.log('got', JSON.stringify(message).replace(/\d+/, 'N'), handle && handle.constructor.name);
    if (message === 'back') handle.end('from the primary');
    if (message.port) net.connect(message.port, '127.0.0.1').setEncoding('utf8').once('data', (text) => {
      console.log('second', text);
      const socket = dgram.createSocket('udp4');
      socket.bind(0, '127.0.0.1', () => worker.send({ port: socket.address().port }, socket, () => socket.close()));
    });
    if (message.datagram) {
      try {
        worker.send('bad', { not: 'a handle' });
      } catch (error) {
        console.log('threw', error.name, error.code, error.message);
      }
      worker.disconnect();
    }
  });
} else {
  process.send('ready');
  process.on('message', (message, handle) => {
    if (message === 'socket') {
      handle.write('from the worker');
      process.send('back', handle);
    } else if (message === 'server') {
      handle.on('connection', (socket) => {
        socket.end('by the worker');
        handle.close();
      });
      process.send({ port: handle.address().port });
    } else {
      handle.on('message', (data) => {
        process.send({ datagram: String(data) });
        handle.close();
      });
      handle.send('datagram', message.port, '127.0.0.1');
    }
  });
}
