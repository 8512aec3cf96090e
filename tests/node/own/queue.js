// SPDX-License-Identifier: MIT
// Connections come by a worker's queue. Those that it has not read go to another worker when it stalls, is full or dies.
const assert = require('node:assert');
const cluster = require('muster-cluster');
const net = require('node:net');

// What `ask` is told by whoever serves it: the worker's number.
const ask = (port) => new Promise((done, fail) => {
  const client = net.connect(port, '127.0.0.1').on('error', fail).on('data', (bytes) => {
    done(`${bytes}`);
    client.destroy();
  });
});

// Answers with its number, and counts the connections that come by Node's message.
function serve() {
  let newconns = 0;
  process.on('internalMessage', ({ act }) => { newconns += act === 'newconn'; });
  const server = net.createServer((socket) => socket.on('error', () => {}).end(`${cluster.worker.id}`));
  server.listen(+process.env.PORT, '127.0.0.1');
  process.on('message', ({ block, limit, count }) => {
    if (limit !== undefined) server.maxConnections = limit;
    if (count) return process.send({ newconns });
    if (!block) return process.send('done');
    // For ever.
    process.send('blocks', () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0));
  });
}

const next = (worker, name = 'message') => new Promise((done) => worker.once(name, done));

const freePort = () => new Promise((done) => {
  const server = net.createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => done(port));
  });
});

async function main() {
  const port = await freePort();
  const first = cluster.fork({ PORT: port });
  await next(first, 'listening');
  const second = cluster.fork({ PORT: port });
  await next(second, 'listening');
  const both = new Set();
  while (both.size < 2) both.add(await ask(port));

  // None of them came as a message of Node's.
  for (const worker of [first, second]) {
    const counted = next(worker);
    worker.send({ count: true });
    assert.deepStrictEqual(await counted, { newconns: 0 });
  }

  // What is in the queue of one that blocks for ever is served by the other.
  const blocks = next(first);
  first.send({ block: true });
  assert.strictEqual(await blocks, 'blocks');
  const answers = await Promise.all(Array.from({ length: 40 }, () => ask(port)));
  assert.deepStrictEqual([...new Set(answers)], ['2']);

  // And of one that is killed, by its successor.
  const third = cluster.fork({ PORT: port });
  await next(third, 'listening');
  const asked = Array.from({ length: 40 }, () => ask(port).catch(() => 'reset'));
  first.process.kill('SIGKILL');
  assert.deepStrictEqual((await Promise.all(asked)).filter((answer) => answer === '1' || answer === 'reset'), []);

  // One that takes none gives back what it has read.
  const limited = next(second);
  second.send({ limit: 0 });
  await limited;
  if (parseInt(process.versions.node) > 20) {
    assert.deepStrictEqual([...new Set(await Promise.all(Array.from({ length: 40 }, () => ask(port))))], ['3']);
  }
  cluster.disconnect(() => console.log('ok'));
}

if (cluster.isPrimary) main();
else serve();
