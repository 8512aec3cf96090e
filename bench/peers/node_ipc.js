// SPDX-License-Identifier: MIT
// bench_ipc on Node's own cluster, or Bun's: node_ipc.js oneway|rtt SIZE COUNT json|advanced. Prints the same line.
'use strict';
const cluster = require('node:cluster');
const [mode, size, count, serialization] = process.argv.slice(2);

const cpu = () => {
  const { user, system } = process.cpuUsage();
  return user + system;
};
const peak = () => process.resourceUsage().maxRSS;
const round = (x, digits) => +x.toFixed(digits);

const work = () => {
  let received = 0, started = 0;
  process.on('message', (message) => {
    if (mode === 'rtt') return process.send(message);
    if (received++ === 0) started = cpu();
    if (received === +count) process.send({ cpu_us: cpu() - started, peak_kib: peak() });
  });
};

const lead = () => {
  const payload = 'x'.repeat(+size);
  cluster.setupPrimary({ serialization });
  const worker = cluster.fork();
  let sent = 0, start, cpu_start, asked;
  const times = [];
  const print = (figures) => {
    console.log(JSON.stringify({ mode, serialization, size: +size, count: +count, ...figures }));
    process.exit();
  };
  // As many as the channel takes; the rest when what it kept is written.
  const send_on = () => {
    while (sent < +count) {
      sent++;
      // The callback of one in many tells how far the system is.
      if (sent % 1024 !== 0) worker.send(payload);
      else if (!worker.send(payload, send_on)) return;
    }
  };
  const ask = () => {
    asked = process.hrtime.bigint();
    worker.send(payload);
  };
  worker.on('online', () => {
    start = process.hrtime.bigint();
    cpu_start = cpu();
    if (mode === 'rtt') ask();
    else send_on();
  });
  worker.on('message', (message) => {
    const wall = Number(process.hrtime.bigint() - (mode === 'rtt' ? asked : start)) / 1e3;
    if (mode === 'oneway') {
      return print({
        messages_per_second: Math.round(+count / wall * 1e6),
        sender_cpu_us: round((cpu() - cpu_start) / +count, 4),
        receiver_cpu_us: round(message.cpu_us / +count, 4),
        sender_peak_kib: peak(),
        receiver_peak_kib: message.peak_kib,
      });
    }
    if (times.push(wall) < +count) return ask();
    times.sort((a, b) => a - b);
    print({ p50_us: round(times[times.length >> 1], 2), p99_us: round(times[Math.floor(times.length * 0.99)], 2) });
  });
};

if (cluster.isPrimary) lead();
else work();
