// SPDX-License-Identifier: MIT
// A port that the primary may not have, under both policies: the worker's server gets the error, and the worker leaves.
const cluster = require('node:cluster');
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');

const first = Number(fs.readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8'));
const { POLICY } = process.env;

if (cluster.isPrimary && !POLICY) {
  for (const policy of first > 42 ? ['rr', 'none'] : []) {
    const env = { ...process.env, POLICY: policy, NODE_CLUSTER_SCHED_POLICY: policy };
    spawn(process.execPath, [...process.execArgv, process.argv[1]], { env, stdio: 'inherit' })
      .on('exit', (code, signal) => console.log(policy, 'ends', code, signal));
  }
} else if (cluster.isPrimary) {
  cluster.on('listening', () => console.log(POLICY, 'listening'));
  cluster.on('message', (worker, message) => {
    console.log(POLICY, message);
    if (message !== 'ready') return;
    if (process.getuid() === 0) process.seteuid(65534);
    worker.send('listen');
  });
  cluster.fork();
  cluster.on('exit', (worker, code, signal) => console.log(POLICY, 'exit', code, signal));
} else {
  process.on('message', () => {
    net.createServer().listen(42, '127.0.0.1').on('error', ({ code, syscall, port }) => {
      process.send(`${code} ${syscall} ${port}`, () => process.disconnect());
    });
  });
  process.send('ready');
}
