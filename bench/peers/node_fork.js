// SPDX-License-Identifier: MIT
// bench_fork on Node's own cluster, or Bun's: node_fork.js online|listening COUNT. Prints the same line.
'use strict';
const cluster = require('node:cluster');
const [until, count] = process.argv.slice(2);

const lead = () => {
  const times = [];
  const { user, system } = process.cpuUsage();
  const start = () => {
    const begin = process.hrtime.bigint();
    const worker = cluster.fork();
    worker.on(until, () => {
      times.push(Number(process.hrtime.bigint() - begin) / 1e6);
      worker.process.kill('SIGKILL');
    });
    worker.on('exit', () => {
      if (times.length < +count) return start();
      const used = process.cpuUsage({ user, system });
      times.sort((a, b) => a - b);
      console.log(JSON.stringify({
        until,
        count: +count,
        p50_ms: +times[times.length >> 1].toFixed(3),
        p99_ms: +times[Math.floor(times.length * 0.99)].toFixed(3),
        primary_cpu_ms: +((used.user + used.system) / 1e3 / +count).toFixed(3),
      }));
      process.exit();
    });
  };
  start();
};

if (cluster.isPrimary) lead();
else if (until === 'listening') require('node:net').createServer(() => {}).listen(0);
else process.on('message', () => {});
