// What a primary sends last arrives: in a listener that ends the process, and in its `exit` handlers.
const cluster = require('node:cluster');

const ends = ['message', 'online', 'listening', 'callback', 'tick', 'promise', 'throw'];

if (!process.env.END) {
  const { spawnSync } = require('node:child_process');
  const flags = process.execArgv;
  for (const end of ends) {
    const { stdout, status } = spawnSync(process.execPath, [...flags, process.argv[1]], { env: { ...process.env, END: end }, encoding: 'utf8' });
    console.log(end, status, ...stdout.split('\n').sort());
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
  worker.on(process.env.END === 'online' || process.env.END === 'listening' ? process.env.END : 'message', () => {
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
  require('node:net').createServer().listen(0, '127.0.0.1', () => process.send('here'));
}
