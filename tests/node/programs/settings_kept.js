// SPDX-License-Identifier: MIT
// Settings that Node's cluster does not look at, or takes as they are.
const cluster = require('node:cluster');

const { RUN } = process.env;
if (cluster.isPrimary) {
  const runs = { 'exec path': { execPath: '/nowhere' }, 'no file': { exec: '', silent: true }, 'elsewhere': { cwd: '/' } };
  for (const [name, settings] of Object.entries(runs)) {
    const before = cluster.settings;
    cluster.setupPrimary(settings);
    const worker = cluster.fork({ RUN: name });
    cluster.settings = before;
    worker.process.stdin?.end();
    worker.on('error', ({ message }) => console.log(name, 'error', message));
    worker.on('message', (text) => console.log(name, text));
    worker.on('exit', (code, signal) => console.log(name, 'exit', code, signal, Object.keys(worker).includes('exitedAfterDisconnect')));
    console.log(name, worker.process.constructor.name, Object.keys(worker));
  }
} else {
  process.send(process.cwd() === '/' ? 'at the root' : 'here', () => process.disconnect());
}
