// SPDX-License-Identifier: MIT
// Reloads in which workers end by themselves, or do not end at all.
const assert = require('node:assert');
const http = require('node:http');
const { once } = require('node:events');
const cluster = require('muster-cluster');

const ids = () => Object.keys(cluster.workers).map(Number);
const exitOf = (worker) => once(worker, 'exit');

async function start(...envs) {
  const workers = envs.map((env) => cluster.fork(env));
  await Promise.all(workers.map((worker) => once(worker, 'listening')));
  return workers;
}

async function stop() {
  const left = Object.values(cluster.workers);
  for (const worker of left) worker.process.kill('SIGKILL');
  await Promise.all(left.map(exitOf));
}

async function main() {
  // An old one crashes while another's replacement starts: the reload goes on. Whether there is another in its place is the
  // program's business.
  {
    const [, second] = await start({}, {});
    cluster.once('fork', () => second.process.kill('SIGKILL'));
    const outcome = await Promise.allSettled([cluster.reload(), exitOf(second)]);
    assert.strictEqual(outcome[0].value.length, 1);
    while (cluster.metrics().workers.some(({ connected, state }) => !connected || state !== 'listening')) await once(cluster, 'exit');
    assert.deepStrictEqual(ids(), [outcome[0].value[0].id]);
    await stop();
  }
  // The last old one crashes when there is no other left to reload.
  {
    const [only] = await start({});
    cluster.once('fork', () => only.process.kill('SIGKILL'));
    const outcome = await Promise.allSettled([cluster.reload(), exitOf(only)]);
    assert.strictEqual(outcome[0].value[0].state, 'listening');
    await stop();
  }
  // A new one crashes after it was ready: so would any other.
  {
    await start({}, {});
    let first = true;
    cluster.on('listening', function crash(worker) {
      if (!first) return;
      first = false;
      cluster.off('listening', crash);
      worker.process.kill('SIGKILL');
    });
    const workers = await cluster.reload();
    assert.deepStrictEqual(workers.map((worker) => worker.isDead()), [true, false]);
    await stop();
  }
  // Twice at once, and again when the first is done.
  {
    const [old] = await start({});
    const gone = exitOf(old);
    const one = cluster.reload();
    const two = await cluster.reload().then(() => 'done', ({ code }) => code);
    const fresh = await one;
    await gone;
    await new Promise(setImmediate);
    const third = await cluster.reload().then((workers) => workers.length, ({ code }) => code);
    assert.deepStrictEqual([two, fresh.length, third], ['ERR_MUSTER_RELOAD', 1, 1]);
    await stop();
  }
  // An old one that does not end is ended.
  {
    const [old] = await start({ STAYS: 1 });
    const gone = exitOf(old);
    const before = Date.now();
    const fresh = await cluster.reload({ exitTimeout: 200 });
    const [code, signal] = await gone;
    assert.deepStrictEqual([fresh.length, code, signal], [1, null, 'SIGTERM']);
    assert.ok(Date.now() - before >= 200);
    await stop();
  }
  assert.ok(!process.getActiveResourcesInfo().includes('Timeout'));
  // Without any worker there is nothing to do, and nothing keeps the process.
  assert.deepStrictEqual([await cluster.reload(), ids()], [[], []]);
}

if (cluster.isPrimary) {
  main();
} else {
  http.createServer((request, response) => response.end()).listen(0, '127.0.0.1');
  if (process.env.STAYS) {
    setInterval(() => {}, 1000);
  }
}
