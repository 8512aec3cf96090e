// SPDX-License-Identifier: MIT
// cluster.supervise(): workers that are kept, reloaded, scaled and stopped.
const assert = require('node:assert');
const { once } = require('node:events');
const fs = require('node:fs');
const http = require('node:http');
const os = require('node:os');
const path = require('node:path');
const cluster = require('muster-cluster');

async function allReady(supervisor) {
  while (supervisor.ready < supervisor.wanted) await once(supervisor, 'ready');
}

async function keeps() {
  const supervisor = cluster.supervise({ workers: 2, env: (seat) => ({ SEAT: `seat ${seat}` }), backoff: 1 });
  assert.strictEqual(supervisor.state, 'starting');
  await allReady(supervisor);
  assert.deepStrictEqual([supervisor.state, supervisor.health, supervisor.wanted, supervisor.restarts], ['running', 'well', 2, 0]);

  // One that is killed has a successor on its seat.
  const [victim] = Object.values(cluster.workers);
  victim.process.kill('SIGKILL');
  const [end] = await once(supervisor, 'end');
  assert.strictEqual(end.worker, victim);
  assert.deepStrictEqual([end.cause, end.wasReady, end.nextTry, end.seat >= 1], ['crashed', true, 0, true]);
  assert.ok(end.successor instanceof cluster.Worker && end.successor !== victim);
  await allReady(supervisor);
  assert.strictEqual(supervisor.restarts, 1);

  const before = Object.keys(cluster.workers);
  const [result, second] = await Promise.allSettled([supervisor.reload(), supervisor.reload()]);
  assert.deepStrictEqual([result.value.replaced, result.value.wanted, result.value.why], [2, 2, '']);
  assert.deepStrictEqual([second.reason.code, /under way/.test(second.reason.message)], ['ERR_MUSTER_RELOAD', true]);
  assert.ok(Object.keys(cluster.workers).every((id) => !before.includes(id)));

  // Who keeps the workers replaces them.
  await assert.rejects(cluster.reload(), { code: 'ERR_MUSTER_RELOAD', message: /A supervisor keeps the workers/ });

  await supervisor.scale(3);
  assert.strictEqual(supervisor.ready, 3);
  await supervisor.restart();
  assert.strictEqual(supervisor.ready, 3);
  await assert.rejects(supervisor.scale(0), { code: 'ERR_OUT_OF_RANGE' });
  const stopped = once(supervisor, 'stop');
  await supervisor.stop();
  await stopped;
  assert.strictEqual(supervisor.state, 'stopped');
  assert.deepStrictEqual(Object.keys(cluster.workers), []);
  await assert.rejects(supervisor.reload(), { code: 'ERR_MUSTER_RELOAD', message: 'Cannot reload: it is stopped' });
  await supervisor.stop();
}

async function abandons() {
  const broken = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'supervise-')), 'broken');
  const supervisor = cluster.supervise({ workers: 1, env: { BROKEN: broken } });
  await allReady(supervisor);
  const [old] = Object.values(cluster.workers);
  fs.writeFileSync(broken, '');
  await assert.rejects(supervisor.reload(), { code: 'ERR_MUSTER_RELOAD', message: /ended before it was ready, exit code 3/ });
  assert.deepStrictEqual([supervisor.state, old.isConnected()], ['running', true]);
  fs.rmSync(path.dirname(broken), { recursive: true });
  await supervisor.stop();
}

async function fails() {
  const supervisor = cluster.supervise({ workers: 1, env: { CRASHES: 1 }, backoff: 1 });
  const [[why]] = await Promise.all([once(supervisor, 'fail'), once(supervisor, 'stop')]);
  assert.strictEqual(why, 'no worker ever became ready: worker 1 ended with exit code 3, after 3 tries');
  assert.strictEqual(supervisor.state, 'failed');

  // A fork that throws is a start that failed.
  const throws = cluster.supervise({ workers: 1, env: () => { throw new Error('no environment'); }, backoff: 1 });
  const [[end], [told]] = await Promise.all([once(throws, 'end'), once(throws, 'fail')]);
  assert.deepStrictEqual([end.worker, end.error.message, end.cause], [undefined, 'no environment', 'not started']);
  assert.match(told, /could not be started/);
}

// A program that is not there is a start that failed, and no exception; a worker that closes its channel and lives is replaced.
async function replaces() {
  cluster.setupPrimary({ cwd: '/does/not/exist' });
  const lost = cluster.supervise({ workers: 1, backoff: 1 });
  const [[end], [why]] = await Promise.all([once(lost, 'end'), once(lost, 'fail')]);
  assert.deepStrictEqual([end.cause, end.error.code], ['not started', 'ENOENT']);
  assert.match(why, /could not be started/);
  cluster.setupPrimary({ cwd: undefined });

  const supervisor = cluster.supervise({ workers: 1, env: { DEAF: 1 }, exitTimeout: 10 });
  const [{ cause }] = await once(supervisor, 'end');
  assert.strictEqual(cause, 'hung');
  for (const worker of Object.values(cluster.workers)) worker.process.kill('SIGKILL');
  await supervisor.stop();
}

function refuses() {
  assert.throws(() => cluster.supervise({ workers: 0 }), { code: 'ERR_OUT_OF_RANGE' });
  assert.throws(() => cluster.supervise({ worker: 2 }), { code: 'ERR_INVALID_ARG_VALUE', message: /There is no option 'worker'; there are workers/ });
  assert.throws(() => cluster.supervise({ readiness: 'soon' }), { code: 'ERR_INVALID_ARG_VALUE' });
  assert.throws(() => cluster.supervise({ maxAge: -1 }), { code: 'ERR_OUT_OF_RANGE' });
}

async function main() {
  refuses();
  await keeps();
  await abandons();
  await fails();
  await replaces();
  assert.ok(!process.getActiveResourcesInfo().includes('Timeout'));
}

if (cluster.isPrimary) {
  main();
} else {
  if (process.env.CRASHES || (process.env.BROKEN && fs.existsSync(process.env.BROKEN))) process.exit(3);
  http.createServer((request, response) => response.end(process.env.SEAT)).listen(0, '127.0.0.1', () => {
    if (!process.env.DEAF) return;
    // Without a word, and without the end that Node's own disconnect would be.
    setImmediate(() => fs.closeSync(process.channel.fd));
    setInterval(() => {}, 1000);
  });
}
