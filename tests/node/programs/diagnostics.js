// SPDX-License-Identifier: MIT
// What is published on Node's diagnostics channels when a worker is forked.
const cluster = require('node:cluster');
const { ChildProcess } = require('node:child_process');
const channels = require('node:diagnostics_channel');

if (cluster.isPrimary) {
  for (const name of ['child_process', 'tracing:child_process.spawn:start', 'tracing:child_process.spawn:end', 'tracing:child_process.spawn:error']) {
    channels.subscribe(name, (data) => {
      console.log('channel', name, Object.keys(data).sort().filter((key) => key !== 'error'), data.process instanceof ChildProcess, typeof data.process?.pid, data.options?.file === process.execPath);
    });
  }
  const worker = cluster.fork();
  console.log('forked', typeof worker.process.pid);
  worker.on('exit', () => {
    cluster.setupPrimary({ cwd: '/nowhere' });
    const other = cluster.fork();
    other.on('error', (error) => console.log('error', error.code));
  });
} else {
  process.disconnect();
}
