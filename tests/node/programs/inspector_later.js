// SPDX-License-Identifier: MIT
// An inspector that is opened later opens in the workers too.
const cluster = require('node:cluster');

if (cluster.isPrimary) {
  const inspector = require('node:inspector');
  const worker = cluster.fork();
  worker.on('message', (message) => {
    console.log('worker', message);
    if (message === 'here') {
      inspector.open(0, '127.0.0.1');
    } else {
      inspector.close();
      worker.kill();
    }
  });
} else {
  const inspector = require('node:inspector');
  process.send('here');
  process.debugPort = 0;
  const look = setInterval(() => {
    if (!inspector.url()) return;
    clearInterval(look);
    process.send('open');
  }, 20);
}
