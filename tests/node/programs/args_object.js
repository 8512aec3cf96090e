// SPDX-License-Identifier: MIT
// Arguments that are an object are child_process.fork()'s options, so that such a worker is no cluster's.
const cluster = require('node:cluster');

if (process.env.PLAIN) {
  console.log('plain', cluster.isPrimary, process.argv.slice(2), process.connected);
  process.disconnect();
} else {
  process.env.PLAIN = '1';
  cluster.setupPrimary({ args: {} });
  const worker = cluster.fork({ NOT_SEEN: '1' });
  worker.on('exit', (code) => console.log('exit', code));
}
