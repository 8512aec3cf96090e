// SPDX-License-Identifier: MIT
// An exception in a listener is an uncaughtException of that tick; what comes after it comes.
const cluster = require('node:cluster');

if (cluster.isPrimary) {
  const worker = cluster.fork();
  process.on('uncaughtException', (error) => console.log(error.message, 'uncaught'));
  for (const name of ['fork', 'online', 'message', 'disconnect', 'exit']) {
    cluster.on(name, () => {
      process.nextTick(() => console.log(name, 'tick after'));
      Promise.resolve().then(() => console.log(name, 'microtask after'));
      throw new Error(name);
    });
  }
  worker.on('message', () => console.log('not reached'));
  worker.process.on('exit', () => console.log('not reached either'));
} else {
  process.send('message');
  process.disconnect();
}
