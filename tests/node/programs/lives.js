// SPDX-License-Identifier: MIT
// Ends of workers that are not of their own making.
const cluster = require('node:cluster');
const { spawn } = require('node:child_process');

if (cluster.isPrimary && process.env.DOOMED) {
  cluster.fork().on('online', function() {
    console.log(this.process.pid);
    throw new Error('the primary dies');
  });
} else if (cluster.isPrimary) {
  cluster.fork({ KIND: 'busy' }).once('message', function() { this.process.kill(); });
  cluster.fork({ KIND: 'empty' });
  cluster.on('exit', (worker, code, signal) => console.log(`end-${worker.id}`, code, signal, worker.isDead(), worker.exitedAfterDisconnect, worker.destroy()));
  cluster.on('disconnect', (worker) => console.log(worker.id, 'disconnect', worker.isConnected()));

  const doomed = spawn(process.execPath, [...process.execArgv, process.argv[1]], { env: { ...process.env, DOOMED: 1 }, stdio: ['ignore', 'pipe', 'ignore'] });
  let text = '';
  doomed.stdout.setEncoding('utf8').on('data', (data) => text += data);
  doomed.on('close', (code) => {
    // The pipe closes when the worker has gone too.
    console.log('doomed', code, Number(text) > 0);
  });
} else if (process.env.KIND === 'busy') {
  process.send('busy', () => { for (;;); });
} else if (process.env.KIND === 'empty') {
  process.disconnect();
}
