// SPDX-License-Identifier: MIT
// A worker that does not leave, because it has a connection, is killed after a time.
const cluster = require('node:cluster');
const net = require('node:net');

if (cluster.isPrimary) {
  const worker = cluster.fork();
  let timeout;
  worker.on('listening', ({ port }) => {
    const client = net.connect(port, '127.0.0.1');
    client.on('error', () => {});
    worker.on('message', () => {
      worker.disconnect();
      timeout = setTimeout(() => worker.kill(), 300);
    });
    client.on('close', () => console.log('client', 'closed'));
  });
  worker.on('disconnect', () => {
    console.log('1 disconnect');
    clearTimeout(timeout);
  });
  worker.on('exit', (code, signal) => console.log('1 exit', code, signal, worker.exitedAfterDisconnect));
} else {
  net.createServer(() => process.send('connected')).listen(0, '127.0.0.1');
  process.on('message', (message) => { if (message === 'shutdown') process.exit(0); });
}
