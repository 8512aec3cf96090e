// SPDX-License-Identifier: MIT
// Something is said to all workers that there are.
const cluster = require('node:cluster');

if (cluster.isPrimary) {
  const announce = () => {
    for (const worker of Object.values(cluster.workers)) worker.send({ announcement: `to all ${Object.keys(cluster.workers).length}` });
  };
  let ready = 0;
  cluster.on('message', (worker, message) => {
    if (message === 'ready') return ++ready === 3 && announce();
    console.log(worker.id, 'heard', message);
    worker.disconnect();
  });
  cluster.on('exit', (worker, code) => console.log(worker.id, 'left', code, Object.keys(cluster.workers).includes(String(worker.id))));
  for (let i = 0; i < 3; i++) cluster.fork();
} else {
  process.on('message', ({ announcement }) => process.send(announcement));
  process.send('ready');
}
