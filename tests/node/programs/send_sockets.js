// SPDX-License-Identifier: MIT
// A server's connections that live in a worker: they are counted, and the server closes when they have.
const cluster = require('node:cluster');
const net = require('node:net');

const count = 6;

if (cluster.isPrimary) {
  const worker = cluster.fork();
  const server = net.createServer({ pauseOnConnect: true });
  const clients = [];
  worker.once('message', () => server.listen(0, '127.0.0.1', () => {
    for (let i = 0; i < count; i++) clients.push(net.connect(server.address().port, '127.0.0.1').on('error', () => {}).resume());
  }));
  let sent = 0;
  server.on('connection', (socket) => {
    const last = ++sent === count;
    worker.send(last ? 'x'.repeat(800000) : `socket ${sent}`, socket);
  });
  let open = count;
  worker.on('message', (message) => {
    if (message.length === 800000) {
      console.log('big', message.length);
      server.getConnections((error, connections) => {
        console.log('connections', error, connections);
        server.close((failure) => {
          console.log('closed', failure);
          worker.disconnect();
        });
        worker.send('end');
      });
    } else if (message === 'ended') {
      console.log('ended', --open >= 0);
    }
  });
  worker.on('exit', (code, signal) => console.log('exit', code, signal));
} else {
  const sockets = [];
  process.on('message', (message, socket) => {
    if (message === 'end') {
      for (const each of sockets) each.on('close', () => process.send('ended')).destroy();
    } else {
      sockets.push(socket);
      if (message.length > 100) process.send({ length: message.length });
    }
  });
  process.send('ready');
}
