// SPDX-License-Identifier: MIT
// A primary whose folder was removed can fork.
const cluster = require('node:cluster');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

if (cluster.isPrimary) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'removed-'));
  process.chdir(folder);
  fs.rmdirSync(folder);
  cluster.setupPrimary({ exec: '/bin/sh', args: [], execArgv: [] });
  cluster.setupPrimary({ exec: process.argv[1], args: ['child'], execArgv: process.execArgv.map((arg) => arg), cwd: undefined });
  const worker = cluster.fork();
  worker.on('error', (error) => console.log('error', error.code));
  worker.process.on('spawn', () => {
    console.log('spawned');
    worker.kill('SIGKILL');
  });
  worker.on('exit', (code, signal) => console.log('exit', code === null ? signal : 'by itself'));
}
