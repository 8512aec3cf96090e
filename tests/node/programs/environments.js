// SPDX-License-Identifier: MIT
// A worker's environment is what process.env is when it is forked.
const cluster = require('node:cluster');
const { isMainThread, Worker, workerData } = require('node:worker_threads');

const names = ['KEPT', 'GONE', 'ADDED', 'REPLACED', 'GIVEN', 'a=b', 'NUMBER', 'EMPTY'];

async function show(what, env) {
  const worker = cluster.fork(env);
  worker.on('message', (text) => console.log(what, text));
  await new Promise((done) => worker.on('exit', done));
}

if (cluster.isPrimary && isMainThread) {
  (async () => {
    Object.assign(process.env, { KEPT: '1', GONE: '2' });
    await show('set');
    delete process.env.GONE;
    process.env.ADDED = '3';
    await show('deleted');
    await show('given', { GIVEN: '4', KEPT: undefined, NUMBER: 5, EMPTY: '', 'a=b': 'c', '': 'nameless', UNSET: undefined });
    const before = process.env;
    process.env = { ...before, REPLACED: '6', NUMBER: 7 };
    delete process.env.KEPT;
    await show('replaced');
    process.env = before;
    try {
      cluster.fork({ BAD: Symbol('no text') });
    } catch (error) {
      console.log('symbol', error.name, error.message);
    }
    try {
      cluster.fork({ BAD: 'with \0' });
    } catch (error) {
      console.log('nul', error.code);
    }
    await show('numbers', { NUMBER: 8 });
    new Worker(process.argv[1], { argv: process.argv.slice(2), env: { PATH: process.env.PATH, ADDED: 'in a thread' }, workerData: 'thread' });
  })();
} else if (!isMainThread && workerData === 'thread') {
  show('thread');
} else {
  process.send(JSON.stringify([cluster.worker.id, ...names.map((name) => process.env[name] ?? null), process.env.a ?? null]), () => process.disconnect());
}
