// SPDX-License-Identifier: MIT
const cluster = require('node:cluster');
const net = require('node:net');

if (cluster.isPrimary) {
  console.log('policy', cluster.schedulingPolicy === cluster.SCHED_RR, cluster.SCHED_NONE, cluster.SCHED_RR);
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  cluster.fork();
  cluster.fork();
  const ports = new Set();
  let listening = 0;
  cluster.on('listening', (worker, address) => {
    ports.add(address.port);
    if (++listening < 2) return;
    console.log('ports', ports.size);
    net.connect(address.port, '127.0.0.1').setEncoding('utf8').on('data', (text) => {
      console.log('answer', text);
      cluster.disconnect();
    });
  });
  cluster.on('exit', (worker, code) => console.log(worker.id, 'exit', code));
} else {
  net.createServer((socket) => socket.end('answer')).listen(0, '127.0.0.1');
}
