// SPDX-License-Identifier: MIT
const cluster = require('node:cluster');
const fs = require('node:fs');
const path = require('node:path');

const shown = ({ args, silent, execArgv, exec, serialization, cwd }) => JSON.stringify({ args, silent, exec: path.basename(exec), serialization, cwd: cwd && path.basename(cwd) });

if (cluster.isPrimary) {
  fs.mkdirSync('below', { recursive: true });
  console.log('before', JSON.stringify(cluster.settings));
  process.argv.push('later');
  cluster.on('setup', (settings) => console.log('setup', shown(settings), settings === cluster.settings));
  cluster.setupPrimary({ args: ['--use', 'https'], silent: true });
  cluster.fork();
  console.log('after', shown(cluster.settings));
  cluster.setupMaster({ args: ['--use', 'http'], cwd: path.resolve('below') });
  const second = cluster.fork();
  console.log('streams', second.process.stdout !== null, second.process.stdin !== null, second.process.stdio.length);
  for (const worker of Object.values(cluster.workers)) {
    worker.process.stdout.setEncoding('utf8').on('data', (text) => console.log(worker.id, 'says', text.trim()));
    worker.process.on('close', (code, signal) => console.log(worker.id, 'close', code, signal));
  }
} else {
  console.log(process.argv.slice(2).join(' '), path.basename(process.cwd()));
  process.disconnect();
}
