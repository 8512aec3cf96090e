// SPDX-License-Identifier: MIT
// What a primary sends last arrives: in a listener that ends the process, and in its `exit` handlers.
const cluster = require('node:cluster');

const ends = ['message', 'listening', 'callback', 'tick', 'promise', 'throw'];

if (!process.env.END) {
  const { spawn } = require('node:child_process');
  for (const end of ends) {
    const child = spawn(process.execPath, [...process.execArgv, process.argv[1]],
      { env: { ...process.env, END: end }, stdio: ['ignore', 'pipe', 'ignore'] });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text) => output += text);
    child.on('close', (code) => console.log(end, code, ...output.split('\n').sort()));
  }
} else if (cluster.isPrimary) {
  const worker = cluster.fork();
  const leave = () => {
    worker.send('last');
    worker.send('very last');
    if (process.env.END === 'throw') throw new Error('thrown');
    process.exit(3);
  };
  process.on('exit', () => worker.send('from an exit handler'));
  worker.on(process.env.END === 'listening' ? 'listening' : 'message', () => {
    switch (process.env.END) {
      case 'callback': return worker.send('first', leave);
      case 'tick': return process.nextTick(leave);
      case 'promise': return Promise.resolve().then(leave);
      default: leave();
    }
  });
} else {
  process.on('message', (message) => console.log('got', message));
  process.on('disconnect', () => process.exit());
  // Not before Node has told the primary that it listens, which it could not to one that is gone.
  require('node:net').createServer().listen(0, '127.0.0.1', () => setImmediate(() => {
    if (process.env.END !== 'listening') process.send('here');
  }));
}
