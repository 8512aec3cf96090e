// SPDX-License-Identifier: MIT
const cluster = require('node:cluster');

const messages = ['text', 7, -0.5, true, false, null, [], { a: [1, { b: null }] }, '', '\u2028 \ud83d\ude00', 'x'.repeat(100000), { cmd: 'NODE' },
  { cmd: 'NODE_' }, { text: 'NODE_CLUSTER' }, { date: new Date(0) }, { undefined }];

if (cluster.isPrimary) {
  const worker = cluster.fork();
  let at = 0;
  worker.on('message', (message, handle) => {
    if (message === 'ready') return;
    const text = JSON.stringify(message);
    console.log(at, text.length > 100 ? text.length : text, text === JSON.stringify(messages[at]), handle);
    if (++at === messages.length) worker.disconnect();
  });
  worker.once('online', () => worker.process.once('message', () => {
    for (const message of messages) console.log('sent', worker.send(message));
    worker.send('callback', (error) => console.log('callback', error));
  }));
  worker.on('exit', () => {
    console.log('late', worker.send('late', (error) => console.log('late callback', error.code, error.message)));
    worker.on('error', (error) => console.log('late error', error.code));
    worker.process.send('late');
    worker.process.disconnect();
  });
} else {
  process.on('message', (message) => { if (message !== 'callback') process.send(message); });
  process.send('ready');
}
