// SPDX-License-Identifier: MIT
// Every worker is replaced, and at no moment nobody listens; one that does not come up changes nothing.
const assert = require('node:assert');
const fs = require('node:fs');
const http = require('node:http');
const os = require('node:os');
const path = require('node:path');
const cluster = require('muster-cluster');

async function main() {
  const broken = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'reload-')), 'broken');
  let port;
  let listening = 0;
  await new Promise((resolve) => {
    cluster.on('listening', (worker, address) => {
      port = address.port;
      if (++listening === 2) resolve();
    });
    for (const NAME of ['a', 'b']) cluster.fork({ NAME, BROKEN: broken });
  });
  const before = Object.keys(cluster.workers);

  let asking = true;
  let answered = 0;
  const asked = (async () => {
    while (asking) {
      const answer = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } });
      assert.match(await answer.text(), /^[ab]$/);
      ++answered;
    }
  })();
  assert.rejects(cluster.reload({ readyTimeout: -1 }), { code: 'ERR_OUT_OF_RANGE' });
  const reloaded = cluster.reload();
  assert.rejects(cluster.reload(), { code: 'ERR_MUSTER_RELOAD' });
  const fresh = await reloaded;
  assert.strictEqual(fresh.length, 2);
  assert.ok(fresh.every((worker) => worker instanceof cluster.Worker && !before.includes(String(worker.id))));
  asking = false;
  await asked;
  assert.ok(answered > 0);
  // The old workers may be leaving still: it waits for them.
  const again = await cluster.reload(null);
  while (Object.values(cluster.workers).length > 2 || cluster.metrics().exited < 4) {
    await new Promise((resolve) => cluster.once('exit', () => setImmediate(resolve)));
  }

  fs.writeFileSync(broken, '');
  await assert.rejects(cluster.reload(), { code: 'ERR_MUSTER_RELOAD', message: /abandoned/ });
  const { workers, forked, restarted } = cluster.metrics();
  assert.deepStrictEqual(workers.map(({ id, state, connected }) => [id, state, connected]), again.map(({ id }) => [id, 'listening', true]));
  assert.ok(workers.every(({ uptime, sent, received, pid }) => uptime > 0 && sent === 0 && received === 0 && pid > 0));
  assert.strictEqual(forked, 7);
  assert.strictEqual(restarted, 5);
  fs.rmSync(path.dirname(broken), { recursive: true });
  cluster.disconnect();
}

if (cluster.isPrimary) {
  main();
} else {
  if (fs.existsSync(process.env.BROKEN)) process.exit(3);
  http.createServer((request, response) => response.end(process.env.NAME)).listen(0, '127.0.0.1');
}
