// SPDX-License-Identifier: MIT
// A reload loses no request on connections that are kept, however the program's answers promise that.
const assert = require('node:assert');
const http = require('node:http');
const cluster = require('muster-cluster');

async function main() {
  const port = await new Promise((resolve) => {
    let listening = 0;
    cluster.on('listening', (worker, address) => ++listening === 2 && resolve(address.port));
    cluster.fork();
    cluster.fork();
  });
  const agent = new http.Agent({ keepAlive: true, maxSockets: 16 });
  let asking = true;
  let answered = 0;
  const pids = new Set();
  const failed = [];
  const ask = () => new Promise((resolve) => {
    http.get({ port, agent, path: `/${answered % 2}` }, (response) => {
      response.setEncoding('utf8').on('data', (text) => pids.add(text)).on('end', () => { ++answered; resolve(); });
    }).on('error', (error) => { failed.push(error.code); resolve(); });
  });
  const clients = Array.from({ length: 16 }, async () => { while (asking) await ask(); });
  for (let n = 0; n < 3; n++) {
    const before = answered;
    await cluster.reload();
    while (answered < before + 200) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  asking = false;
  await Promise.all(clients);
  agent.destroy();
  assert.deepStrictEqual(failed, []);
  assert.ok(pids.size >= 6, `${pids.size} workers answered`);
  cluster.disconnect();
}

if (cluster.isPrimary) {
  main();
} else {
  http.createServer((request, response) => {
    if (request.url === '/1') response.setHeader('Connection', 'keep-alive');
    response.end(String(process.pid));
  }).listen(0);
}
