// An exception in a listener is an uncaughtException of that tick; what comes after it comes.
const cluster = require('node:cluster');

if (cluster.isPrimary) {
  const worker = cluster.fork();
  process.on('uncaughtException', (error) => console.log('uncaught', error.message));
  for (const name of ['fork', 'online', 'message', 'disconnect', 'exit']) {
    cluster.on(name, () => {
      process.nextTick(() => console.log('tick after', name));
      Promise.resolve().then(() => console.log('microtask after', name));
      throw new Error(name);
    });
  }
  worker.on('message', () => console.log('not reached'));
  worker.process.on('exit', () => console.log('not reached either'));
} else {
  process.send('message');
  process.disconnect();
}
