// SPDX-License-Identifier: MIT
// What is heard of a worker is heard in the context that forked it, and what a call brings later in that of the call.
const { AsyncLocalStorage } = require('node:async_hooks');
const cluster = require('node:cluster');

if (cluster.isPrimary) {
  const storage = new AsyncLocalStorage();
  const names = ['first', 'second', 'third'];
  let ready = 0;
  names.forEach((name) => storage.run(`forked ${name}`, () => {
    const worker = cluster.fork();
    for (const event of ['online', 'disconnect', 'exit']) {
      worker.on(event, () => console.log(name, event, storage.getStore()));
    }
    worker.on('message', (text) => {
      console.log(name, text, storage.getStore());
      if (text === 'got it') worker.disconnect();
      else if (++ready === names.length) setImmediate(() => storage.run('outside', answer));
    });
    cluster.once('setup', () => console.log('setup', storage.getStore()));
  }));
  function answer() {
    Object.values(cluster.workers).forEach((worker, i) => storage.run(`sent ${names[i]}`, () => {
      worker.send('text', () => console.log(names[i], 'sent', storage.getStore()));
    }));
  }
} else {
  process.on('message', () => process.send('got it'));
  process.send('ready');
}
