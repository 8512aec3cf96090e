// SPDX-License-Identifier: MIT
// When a process ends by itself: not while a worker lives, unless nothing holds it.
const cluster = require('node:cluster');

if (cluster.isPrimary) {
  process.on('exit', (code) => console.log('exit', code, cluster.workers[1]?.isConnected()));
  const worker = cluster.fork();
  worker.on('online', () => {
    console.log('online', typeof worker.process.ref, typeof worker.process.channel.unref);
    worker.process.unref();
    worker.process.channel.unref();
  });
} else {
  process.on('disconnect', () => process.exit(0));
  setInterval(() => {}, 1000);
}
