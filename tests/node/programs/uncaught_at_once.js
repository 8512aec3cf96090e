// SPDX-License-Identifier: MIT
// A listener that throws loses nothing of a worker whose message, disconnect and exit this process sees in one turn.
const cluster = require('node:cluster');
const fs = require('node:fs');

if (cluster.isPrimary) {
  const worker = cluster.fork();
  process.on('uncaughtException', (error) => console.log(error.message, 'uncaught'));
  for (const name of ['online', 'message', 'disconnect', 'exit']) {
    cluster.on(name, () => { throw new Error(name); });
  }
  const { pid } = worker.process;
  const isZombie = () => /\) Z /.test(fs.readFileSync(`/proc/${pid}/stat`, 'utf8'));
  while (!isZombie());
} else {
  process.send('message');
  process.disconnect();
}
