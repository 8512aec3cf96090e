// SPDX-License-Identifier: MIT
// When events come, beside what the program itself puts off.
const cluster = require('node:cluster');

if (cluster.isPrimary) {
  const say = (what) => () => console.log(what);
  setTimeout(say('timeout'), 0);
  setImmediate(say('immediate'));
  process.nextTick(say('tick 1'));
  cluster.on('setup', () => {
    console.log('setup');
    process.nextTick(say('tick in setup'));
    queueMicrotask(say('microtask in setup'));
  });
  cluster.on('fork', () => {
    console.log('fork');
    process.nextTick(say('tick in fork'));
  });
  const worker = cluster.fork();
  worker.process.on('spawn', say('spawn'));
  process.nextTick(say('tick 2'));
  queueMicrotask(say('microtask'));
  console.log('end of script');
  cluster.on('online', () => {
    console.log('online');
    cluster.setupPrimary();
    process.nextTick(say('tick in online'));
    worker.disconnect();
    console.log('workers', Object.keys(cluster.workers).length);
    cluster.disconnect(say('all gone'));
  });
}
