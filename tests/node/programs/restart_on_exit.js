// SPDX-License-Identifier: MIT
// A worker that crashes is replaced, and its port is served on.
const cluster = require('node:cluster');
const http = require('node:http');

if (cluster.isPrimary) {
  cluster.on('exit', (worker, code, signal) => {
    console.log('worker', worker.id, 'died', signal || code);
    if (worker.exitedAfterDisconnect) return;
    console.log('restart');
    cluster.fork();
  });
  cluster.on('listening', async (worker, { port }) => {
    const ask = async (path) => (await fetch(`http://127.0.0.1:${port}${path}`, { headers: { connection: 'close' } })).text();
    console.log('served', await ask('/'));
    if (worker.id < 3) await ask('/crash').catch(() => console.log('crashed', worker.id));
    else worker.disconnect();
  });
  cluster.fork();
} else {
  http.createServer((request, response) => {
    if (request.url === '/crash') process.exit(4);
    response.end(`by ${cluster.worker.id}`);
  }).listen(0, '127.0.0.1');
}
