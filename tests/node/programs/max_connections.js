// SPDX-License-Identifier: MIT
// A worker whose server has as many connections as it takes gives the next back, and another gets it; or drops it.
const cluster = require('node:cluster');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');

// Node 20 takes 0 for no limit, and never drops.
const drops = parseInt(process.versions.node) > 20;
const limits = drops ? [0, 1, 9] : [3, 1, 6];
const { LIMIT, DROP, NAME } = process.env;

if (cluster.isPrimary) {
  const name = path.join(os.tmpdir(), `max-connections-${process.pid}`);
  const counts = [0, 0, 0];
  const clients = [];
  let listening = 0;
  limits.forEach((limit) => cluster.fork({ LIMIT: limit, NAME: name }));
  cluster.on('listening', () => {
    if (++listening === limits.length) for (let i = 0; i < 10; i++) clients.push(net.connect(name));
    if (listening === limits.length + 1) connectToDropper();
  });
  cluster.on('message', (worker, message) => {
    if (message !== 'connection') return console.log(worker.id, message);
    ++counts[worker.id - 1];
    if (counts[0] + counts[1] + counts[2] < 10) return;
    console.log('counts', counts);
    for (const client of clients) client.destroy();
    cluster.disconnect();
    if (drops) cluster.fork({ LIMIT: 0, DROP: 'yes', NAME: `${name}-drop` });
  });
  cluster.on('exit', (worker, code, signal) => console.log(worker.id, 'exit', code, signal));

  function connectToDropper() {
    net.connect(`${name}-drop`).on('error', () => {}).on('close', () => {
      console.log('dropped');
      cluster.disconnect();
    }).resume();
  }
} else {
  const server = net.createServer((socket) => {
    socket.on('error', () => {}).resume();
    process.send('connection');
  });
  server.on('drop', () => process.send('drop'));
  server.maxConnections = +LIMIT;
  if (DROP) server.dropMaxConnection = true;
  server.listen(NAME);
}
