// SPDX-License-Identifier: MIT
// process.exit() in a listener, with workers alive, at each event: nothing comes after it, and the workers go.
const cluster = require('node:cluster');
const { spawn } = require('node:child_process');
const net = require('node:net');

const events = ['setup', 'fork', 'online', 'listening', 'message', 'disconnect', 'exit'];
const { EVENT } = process.env;

if (cluster.isPrimary && !EVENT) {
  for (const event of events) {
    const child = spawn(process.execPath, [...process.execArgv, process.argv[1]], { env: { ...process.env, EVENT: event }, stdio: ['ignore', 'pipe', 'ignore'] });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (data) => text += data);
    // Its workers have that pipe too.
    child.on('close', (code, signal) => console.log(event, 'ends', code, signal, text.trim()));
  }
} else if (cluster.isPrimary) {
  process.on('exit', (code) => {
    console.log('at exit', code);
    process.nextTick(() => console.log('tick after the end'));
  });
  cluster.fork({ LEAVES: 1 });
  cluster.fork();
  cluster.on(EVENT, () => {
    process.nextTick(() => console.log('tick'));
    process.exit(7);
  });
} else {
  net.createServer().listen(0, '127.0.0.1', () => {
    process.send('message');
    if (process.env.LEAVES) cluster.worker.disconnect();
  });
}
