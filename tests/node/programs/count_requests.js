// SPDX-License-Identifier: MIT
// The manual's example of messages: the primary counts the requests of all workers.
const cluster = require('node:cluster');
const http = require('node:http');

if (cluster.isPrimary) {
  let requests = 0;
  const ports = [];
  cluster.on('listening', async (worker, { port }) => {
    ports.push(port);
    if (ports.length < 2) return;
    for (let i = 0; i < 6; i++) await (await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } })).text();
  });
  for (let i = 0; i < 2; i++) cluster.fork();
  for (const id in cluster.workers) {
    cluster.workers[id].on('message', (message) => {
      if (message.cmd !== 'notifyRequest' || ++requests < 6) return;
      console.log('requests', requests, ports[0] === ports[1]);
      cluster.disconnect(() => console.log('disconnected', Object.keys(cluster.workers)));
    });
  }
} else {
  http.createServer((request, response) => {
    response.end('hello world\n');
    process.send({ cmd: 'notifyRequest' });
  }).listen(0, '127.0.0.1');
}
