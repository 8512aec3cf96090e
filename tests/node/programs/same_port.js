// SPDX-License-Identifier: MIT
// A port that is listened on twice: in one worker, by a worker that comes later, and for oneself only.
const cluster = require('node:cluster');
const net = require('node:net');

if (cluster.isPrimary) {
  const first = cluster.fork();
  let second;
  let port;
  const ask = (worker, what) => worker.send({ what, port });
  // Node 20 mistakes the third server of a worker for another one's.
  const forgets = parseInt(process.versions.node) > 20;
  const next = {
    '1 ready': () => ask(first, 'first'),
    '1 first listening': () => ask(first, 'again'),
    '1 again EADDRINUSE': () => ask(first, 'close'),
    '1 closed': () => second = cluster.fork(),
    '2 ready': () => ask(second, 'first'),
    '2 first listening': () => (forgets ? ask(first, 'once more') : ask(second, 'exclusive')),
    '1 once more listening': () => ask(second, 'exclusive'),
    '2 exclusive EADDRINUSE': () => ask(first, 'exclusive any'),
    '1 exclusive any listening': () => ask(second, 'exclusive any'),
    '2 exclusive any listening': () => {
      for (const worker of [first, second]) worker.send({ what: 'done' });
      cluster.disconnect();
    },
  };
  cluster.on('message', (worker, message) => {
    const text = `${worker.id} ${message.text}`;
    console.log('message', text, message.port === port || message.port > 0);
    if (text === '1 first listening') port = message.port;
    next[text]();
  });
  cluster.on('listening', (worker, address) => console.log(`listening-${worker.id}`, address.addressType, address.address));
  cluster.on('exit', (worker, code, signal) => console.log(worker.id, 'exit', code, signal));
} else {
  let server;
  const own = [];
  process.on('message', ({ what, port }) => {
    if (what === 'close') return server.close(() => process.send({ text: 'closed' }));
    if (what === 'done') return own.forEach((each) => each.close());
    const started = net.createServer();
    if (what.startsWith('exclusive')) own.push(started);
    else if (what !== 'again') server = started;
    started.on('error', ({ code }) => process.send({ text: `${what} ${code}` }));
    started.on('listening', () => process.send({ text: `${what} listening`, port: started.address().port }));
    started.listen({ port: what === 'exclusive any' ? 0 : port ?? 0, host: '127.0.0.1', exclusive: what.startsWith('exclusive') });
  });
  process.send({ text: 'ready' });
}
