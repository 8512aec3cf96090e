// SPDX-License-Identifier: MIT
// Nothing is kept of workers that are gone. Uses --expose-gc.
const v8 = require('node:v8');
const vm = require('node:vm');
const cluster = require('node:cluster');

v8.setFlagsFromString('--expose-gc');
const gc = vm.runInNewContext('gc');
const workers = 10;

if (cluster.isPrimary) {
  let collected = 0;
  const registry = new FinalizationRegistry(() => ++collected);
  let done = 0;
  const next = () => {
    const worker = cluster.fork();
    registry.register(worker);
    registry.register(worker.process);
    worker.on('exit', () => {
      if (++done < workers) setImmediate(next);
      else setImmediate(look);
    });
  };
  // The last one may be what somebody was just told of.
  const enough = 2 * (workers - 1);
  const look = () => {
    gc();
    if (collected < enough) setImmediate(look);
    else console.log('collected');
  };
  next();
} else {
  process.exit();
}
