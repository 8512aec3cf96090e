// SPDX-License-Identifier: MIT
// A thousand messages each way while the reader does not read: all arrive, in order.
const cluster = require('node:cluster');

const count = 1000;
const message = (number) => ({ number, text: 'x'.repeat(number % 2000) });

function follow(emitter, name, done) {
  let at = 0;
  let right = 0;
  emitter.on('message', (got) => {
    if (got === 'ready' || got === 'read') return;
    if (got.number === at++ && got.text.length === got.number % 2000) ++right;
    if (at < count) return;
    console.log(name, at, right);
    done();
  });
}

if (cluster.isPrimary) {
  for (const serialization of ['json', 'advanced']) {
    cluster.setupPrimary({ serialization });
    const worker = cluster.fork({ NAME: serialization });
    // What was sent is written, was read, and what the worker sent is here.
    let left = count + 2;
    const done = () => { if (--left === 0) worker.disconnect(); };
    worker.once('message', () => {
      for (let i = 0; i < count; i++) worker.send(message(i), (error) => (error === null ? done() : console.log(error)));
      worker.on('message', (got) => { if (got === 'read') done(); });
    });
    follow(worker, serialization, done);
    worker.on('exit', (code) => console.log(serialization, 'exit', code));
  }
} else {
  // Nothing is read while the whole of the other's fits nowhere.
  follow(process, `${process.env.NAME}-worker`, () => process.send('read'));
  process.send('ready', () => {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
    for (let i = 0; i < count; i++) process.send(message(i));
  });
}
