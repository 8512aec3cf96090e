// SPDX-License-Identifier: MIT
// What lets go of a worker's loop: its channel, and servers of the cluster, whenever they are told.
const cluster = require('node:cluster');
const net = require('node:net');

if (cluster.isPrimary) {
  for (const kind of ['closed', 'early', 'both ways']) cluster.fork({ KIND: kind });
  cluster.on('listening', (worker, { address }) => console.log(worker.id, 'listening', address));
  cluster.on('message', (worker, message) => console.log(worker.id, message));
  cluster.on('disconnect', (worker) => console.log(`disconnect-${worker.id}`));
  cluster.on('exit', (worker, code, signal) => console.log(worker.id, 'exit', code, signal, worker.exitedAfterDisconnect));
} else {
  const { KIND } = process.env;
  const server = net.createServer();
  if (KIND === 'early') server.unref();
  if (KIND === 'both ways') server.ref().unref().ref();
  server.listen(0, '127.0.0.1', () => {
    if (KIND === 'closed') server.close();
    if (KIND === 'early') server.ref().unref();
    if (KIND === 'both ways') {
      server.unref().ref().unref();
      server.close(() => process.send('closed', () => process.channel.unref()));
      return;
    }
    process.channel.unref();
  });
}
