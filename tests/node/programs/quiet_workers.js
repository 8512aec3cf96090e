// SPDX-License-Identifier: MIT
// Workers whose output nobody reads, and one that listens to no message.
const cluster = require('node:cluster');

if (cluster.isPrimary) {
  cluster.setupPrimary({ silent: true });
  const loud = cluster.fork({ KIND: 'loud' });
  loud.process.stdout.destroy();
  loud.on('message', (message) => {
    console.log('loud', message);
    if (message === 'logged') loud.send('go');
  });
  const deaf = cluster.fork({ KIND: 'deaf' });
  let text = '';
  deaf.process.stdout.setEncoding('utf8').on('data', (data) => text += data);
  deaf.on('message', (message) => {
    console.log('deaf', message);
    deaf.send('to nobody');
    deaf.disconnect();
  });
  deaf.process.on('close', (code, signal) => console.log('deaf', 'close', code, signal, text.length, text.slice(-8).trim()));
  loud.process.on('close', (code, signal) => console.log('loud', 'close', code, signal));
} else if (process.env.KIND === 'loud') {
  process.stdout.on('error', () => {});
  for (let i = 0; i < 3; i++) console.log('nobody reads this');
  process.send('logged');
  process.once('message', () => {
    process.send('gone', () => process.disconnect());
  });
} else {
  const timer = setInterval(() => {}, 1000);
  process.send('up');
  process.on('disconnect', () => {
    clearInterval(timer);
    process.stdout.write(`${'line\n'.repeat(20000)}the end`);
  });
}
