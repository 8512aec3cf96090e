// SPDX-License-Identifier: MIT
// A worker lives until its process has ended.
const cluster = require('node:cluster');
const http = require('node:http');

if (cluster.isPrimary) {
  cluster.on('fork', (worker) => console.log('fork', worker.isDead()));
  cluster.on('listening', async (worker, { port }) => {
    console.log('listening', worker.isDead());
    console.log('answer', await (await fetch(`http://127.0.0.1:${port}/`)).text());
    worker.process.kill();
  });
  cluster.on('exit', (worker) => console.log('exit', worker.isDead()));
  cluster.fork();
} else {
  http.createServer((request, response) => response.end(String(cluster.worker.isDead()))).listen(0, '127.0.0.1');
}
