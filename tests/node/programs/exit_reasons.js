// SPDX-License-Identifier: MIT
// A worker ended by a signal, one with a code, one well.
const cluster = require('node:cluster');

if (cluster.isPrimary) {
  for (const [reason, signal] of [['signal', 'SIGUSR2'], ['code 3'], ['success']]) {
    const worker = cluster.fork({ REASON: reason });
    worker.on('message', () => signal ? worker.process.kill(signal) : worker.send('go'));
    worker.on('exit', (code, signal) => {
      if (signal) console.log('worker', worker.id, 'was killed by signal', signal);
      else if (code !== 0) console.log('code', worker.id, 'exited with error code', code);
      else console.log('success', worker.id);
    });
  }
} else {
  process.on('message', () => process.exit(Number(process.env.REASON.split(' ')[1] ?? 0)));
  process.send('ready');
}
