// SPDX-License-Identifier: MIT
// Node warns of more than ten callbacks.
const cluster = require('node:cluster');

if (cluster.isPrimary) {
  process.on('warning', (warning) => console.log('warning', warning.name, warning.type, warning.count));
  const worker = cluster.fork();
  worker.on('online', () => {
    for (let i = 0; i < 11; ++i) cluster.disconnect(() => console.log('callback', i));
  });
}
