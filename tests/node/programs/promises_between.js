// SPDX-License-Identifier: MIT
// Promise jobs and ticks among messages that were read together.
const cluster = require('node:cluster');

if (cluster.isPrimary) {
  const worker = cluster.fork();
  const order = [];
  worker.once('message', () => {
    worker.send('go');
    // Until all of them are there to be read at once.
    const end = Date.now() + 500;
    while (Date.now() < end);
  });
  worker.on('message', (message) => {
    if (message === 'here') return;
    order.push(`message ${message}`);
    Promise.resolve().then(() => order.push(`promise ${message}`));
    process.nextTick(() => order.push(`tick ${message}`));
    setImmediate(() => order.push(`immediate ${message}`));
  });
  worker.on('exit', () => {
    for (const line of order) console.log('order', line);
  });
} else {
  process.send('here');
  process.once('message', () => {
    for (let i = 0; i < 3; ++i) process.send(i);
    process.disconnect();
  });
}
