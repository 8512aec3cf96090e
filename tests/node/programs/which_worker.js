// SPDX-License-Identifier: MIT
// Each process knows whether it is the primary, and which worker it is.
const cluster = require('node:cluster');

if (cluster.isPrimary) {
  console.log('I am primary', cluster.worker, cluster.isMaster, cluster.isWorker);
  cluster.on('message', (worker, message) => console.log(worker.id, message));
  cluster.fork();
  cluster.fork();
} else {
  const told = `I am worker #${cluster.worker.id} ${cluster.isPrimary} ${cluster.isWorker} ${cluster.worker.process === process}`;
  process.send(told, () => process.disconnect());
}
