// SPDX-License-Identifier: MIT
// `overlapped` is `pipe` where there is no Windows.
const cluster = require('node:cluster');

if (cluster.isPrimary) {
  cluster.setupPrimary({ stdio: 'overlapped' });
  const worker = cluster.fork();
  worker.process.stdout.setEncoding('utf8').on('data', (text) => console.log('read', text.trim()));
  worker.on('exit', () => console.log('exit', worker.process.stdio.map((stream) => stream !== null)));
} else {
  console.log('from the worker');
  process.disconnect();
}
