// The server of bench_server on Node's own cluster: node_server.js MODE PORT WORKERS, policy by NODE_CLUSTER_SCHED_POLICY.
'use strict';
const cluster = require('node:cluster');
const [mode, port, workers] = process.argv.slice(2);

if (cluster.isPrimary) {
  let listening = 0;
  cluster.on('listening', () => {
    if (++listening < +workers) return;
    console.log(`READY ${process.pid} ${Object.values(cluster.workers).map((w) => w.process.pid).join(',')}`);
  });
  for (let i = 0; i < +workers; i++) cluster.fork();
} else if (mode === 'http') {
  require('node:http').createServer((req, res) => res.end('hello world\n')).listen(+port);
} else {
  require('node:net').createServer((socket) => {
    socket.on('data', (bytes) => socket.write(bytes)).on('error', () => {});
  }).listen(+port);
}
