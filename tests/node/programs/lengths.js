// SPDX-License-Identifier: MIT
// Messages of such lengths that what says the length of the next is read in two parts.
const cluster = require('node:cluster');

const read = 65536;
const lengths = [read - 40, ...Array.from({ length: 12 }, (_, i) => read - 20 + i), 5 * read, 1, 0];

function follow(emitter, name, done) {
  let at = 0;
  emitter.on('message', (message) => {
    if (message === 'ready') return;
    const right = message.length === lengths[at] && message === String.fromCharCode(65 + at).repeat(lengths[at]);
    console.log(name, at, message.length, right);
    if (++at === lengths.length) done();
  });
}

const send = (target) => lengths.forEach((length, i) => target.send(String.fromCharCode(65 + i).repeat(length)));

if (cluster.isPrimary) {
  for (const serialization of ['json', 'advanced']) {
    cluster.setupPrimary({ serialization });
    const worker = cluster.fork({ NAME: serialization });
    follow(worker, serialization, () => worker.disconnect());
    worker.once('message', () => send(worker));
    worker.on('exit', (code) => console.log(serialization, 'exit', code));
  }
} else {
  follow(process, `${process.env.NAME}-worker`, () => send(process));
  process.send('ready');
}
