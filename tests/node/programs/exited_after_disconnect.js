// SPDX-License-Identifier: MIT
const cluster = require('node:cluster');

if (cluster.isPrimary) {
  // An end and that of the channel come in either order, so each has lines of its own.
  cluster.on('exit', (worker, code, signal) => console.log(`end-${worker.id}`, worker.exitedAfterDisconnect, code, signal));
  cluster.on('disconnect', (worker) => console.log(worker.id, 'disconnect', worker.exitedAfterDisconnect));
  cluster.on('online', (worker) => {
    console.log(worker.id, 'online', worker.exitedAfterDisconnect);
    if (worker.id === 1) console.log('1 same', worker.disconnect() === worker, worker.exitedAfterDisconnect, 1 in cluster.workers);
    if (worker.id === 2) worker.kill();
    if (worker.id === 5) worker.process.disconnect();
    if (worker.id === 6) worker.destroy('SIGKILL');
  });
  for (let i = 0; i < 6; i++) cluster.fork();
} else {
  if (cluster.worker.id === 3) cluster.worker.disconnect();
  if (cluster.worker.id === 4) process.exit(7);
}
