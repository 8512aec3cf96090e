// SPDX-License-Identifier: MIT
const cluster = require('node:cluster');
const fs = require('node:fs');

if (cluster.isPrimary) {
  cluster.setupPrimary({ silent: true });
  const worker = cluster.fork();
  const { stdin, stdout, stderr, stdio } = worker.process;
  console.log('same', stdio[0] === stdin, stdio[1] === stdout, stdio[2] === stderr, stdio[3], stdio.length);
  let output = '';
  let errors = '';
  stdout.setEncoding('utf8').on('data', (data) => output += data);
  stderr.setEncoding('utf8').on('data', (data) => errors += data);
  worker.process.on('close', (code, signal) => console.log('close', code, signal, output, errors));
  worker.process.on('exit', (code) => console.log('exit', code));
  stdin.end('to the worker');

  cluster.setupPrimary({ stdio: ['ignore', 'pipe', 'ignore', 'ipc', 'pipe'] });
  const second = cluster.fork({ SECOND: 1 });
  console.log('second', second.process.stdin, second.process.stdout !== null, second.process.stderr, second.process.stdio.length);
  second.process.stdio[4].setEncoding('utf8').on('data', (data) => console.log('four', data));
  second.process.on('close', (code) => console.log('second close', code));
} else if (process.env.SECOND) {
  fs.writeSync(4, 'on four');
  console.log('nobody reads this');
  process.disconnect();
} else {
  process.stdin.setEncoding('utf8').on('data', (data) => {
    console.error('complaint');
    console.log(data);
    process.disconnect();
    process.stdin.destroy();
  });
}
