// SPDX-License-Identifier: MIT
// The first example of the manual: workers that share a port.
const cluster = require('node:cluster');
const http = require('node:http');

if (cluster.isPrimary) {
  let listening = 0;
  for (let i = 0; i < 2; i++) cluster.fork();
  cluster.on('listening', async (worker, { port }) => {
    if (++listening < 2) return;
    const answers = [];
    for (let i = 0; i < 4; i++) {
      const answer = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } });
      answers.push(await answer.text());
    }
    console.log('answers', answers.sort().join(' '));
    for (const each of Object.values(cluster.workers)) each.kill();
  });
  cluster.on('exit', (worker, code, signal) => console.log(worker.id, 'died', code, signal, worker.isDead()));
} else {
  http.createServer((request, response) => response.end(`worker-${cluster.worker.id}`)).listen(0, '127.0.0.1');
}
