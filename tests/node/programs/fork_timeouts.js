// SPDX-License-Identifier: MIT
// A worker that does not listen in time is given up; one that does is not.
const cluster = require('node:cluster');
const net = require('node:net');

if (cluster.isPrimary) {
  const timeouts = [];
  const somethingIsWrong = (worker) => {
    console.log(worker.id, 'did not listen');
    worker.kill();
  };
  // The first is waited for, however slow this machine is.
  cluster.on('fork', (worker) => {
    if (worker.id === 1) timeouts[1] = setTimeout(somethingIsWrong, 60_000, worker);
    console.log(worker.id, 'fork');
  });
  cluster.on('online', (worker) => {
    if (worker.id === 2) timeouts[2] = setTimeout(somethingIsWrong, 20, worker);
  });
  cluster.on('listening', (worker) => {
    clearTimeout(timeouts[worker.id]);
    console.log(worker.id, 'listening');
    worker.disconnect();
  });
  cluster.on('exit', (worker, code, signal) => {
    clearTimeout(timeouts[worker.id]);
    console.log(worker.id, 'exit', code, signal);
  });
  for (let i = 0; i < 2; i++) cluster.fork();
} else if (cluster.worker.id === 1) {
  net.createServer().listen(0, '127.0.0.1');
}
