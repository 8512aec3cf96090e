// SPDX-License-Identifier: MIT
// The first example of the manual: workers that share a port.
const cluster = require('node:cluster');
const http = require('node:http');

if (cluster.isPrimary) {
  let listening = 0;
  for (let i = 0; i < 2; i++) cluster.fork();
  cluster.on('listening', async (worker, { port }) => {
    if (++listening < 2) return;
    // As a rule they take turns; one that the system gives no time gets none.
    const answers = new Set();
    while (answers.size < 2) {
      const answer = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } });
      answers.add(await answer.text());
    }
    console.log('answers', [...answers].sort().join(' '));
    for (const each of Object.values(cluster.workers)) each.kill();
  });
  cluster.on('exit', (worker, code, signal) => console.log(worker.id, 'died', code, signal, worker.isDead()));
} else {
  http.createServer((request, response) => response.end(`worker-${cluster.worker.id}`)).listen(0, '127.0.0.1');
}
