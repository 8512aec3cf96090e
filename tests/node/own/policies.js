// SPDX-License-Identifier: MIT
// Policies that Node has not.
const assert = require('node:assert');
const net = require('node:net');
const { spawnSync } = require('node:child_process');
const cluster = require('muster-cluster');

if (!cluster.isPrimary) {
  net.createServer((socket) => socket.end(String(cluster.worker.id))).listen(0, '127.0.0.1');
} else if (!process.env.POLICY) {
  for (const POLICY of ['SCHED_LEAST_CONNECTIONS', 'SCHED_IP_HASH', 'SCHED_KERNEL', 'function', 'wrong', 'environment']) {
    const env = { ...process.env, POLICY };
    if (POLICY === 'environment') env.NODE_CLUSTER_SCHED_POLICY = 'ip_hash';
    const { status, stderr } = spawnSync(process.execPath, [__filename], { env, encoding: 'utf8' });
    assert.strictEqual(status, 0, `${POLICY}: ${stderr}`);
  }
} else {
  const { POLICY } = process.env;
  if (POLICY === 'wrong') {
    cluster.schedulingPolicy = 99;
    assert.throws(() => cluster.fork(), /Bad cluster.schedulingPolicy: 99/);
    process.exit();
  }
  if (POLICY === 'environment') {
    assert.strictEqual(cluster.schedulingPolicy, cluster.SCHED_IP_HASH);
  } else {
    cluster.schedulingPolicy = cluster[POLICY] ?? ((connection, workers) => {
      assert.strictEqual(connection.remote.address, '127.0.0.1');
      assert.strictEqual(typeof connection.local.port, 'number');
      assert.strictEqual(workers.length, 3);
      return workers.find((worker) => worker.id === 2);
    });
    assert.ok(cluster.schedulingPolicy);
  }
  let listening = 0;
  for (let i = 0; i < 3; i++) cluster.fork();
  cluster.on('listening', async (worker, { port }) => {
    if (++listening < 3) return;
    const answers = [];
    for (let i = 0; i < 6; i++) {
      const socket = net.connect(port, '127.0.0.1').setEncoding('utf8');
      answers.push(await new Promise((resolve) => socket.on('data', resolve)));
    }
    if (POLICY === 'function') assert.deepStrictEqual(answers, Array(6).fill('2'));
    if (POLICY === 'SCHED_IP_HASH' || POLICY === 'environment') assert.strictEqual(new Set(answers).size, 1);
    cluster.disconnect();
  });
}
