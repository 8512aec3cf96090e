// SPDX-License-Identifier: MIT
// Without anybody to catch it, it ends the primary. Ends with 1.
const cluster = require('node:cluster');

if (cluster.isPrimary) {
  process.on('exit', (code) => console.log('primary ends', code));
  cluster.fork();
  cluster.on('online', (worker) => {
    worker.process.kill('SIGKILL');
    worker.on('exit', () => { throw new Error('nobody catches this'); });
  });
}
