// SPDX-License-Identifier: MIT
// cluster.disconnect() with no worker, with several, and with one that is disconnected already and still there.
const cluster = require('node:cluster');

function several() {
  for (let i = 0; i < 3; i++) cluster.fork();
  let online = 0;
  let gone = 0;
  cluster.on('online', () => {
    if (++online < 3) return;
    console.log('several', 'returned', cluster.disconnect(() => console.log('called', gone >= 2, Object.keys(cluster.workers).length)));
    console.log('several', 'left in the list', Object.keys(cluster.workers).length);
  });
  cluster.on('exit', (worker, code, signal) => {
    console.log('several', 'exit', code, signal, worker.exitedAfterDisconnect);
    if (++gone === 3) stays();
  });
}

function stays() {
  cluster.removeAllListeners();
  const worker = cluster.fork({ STAYS: 1 });
  worker.on('message', () => worker.process.disconnect());
  cluster.on('disconnect', () => {
    console.log('stays', worker.id in cluster.workers, worker.isConnected(), worker.isDead());
    cluster.disconnect(() => console.log('stays-called', Object.keys(cluster.workers).length));
    worker.process.kill();
  });
  cluster.on('exit', (gone, code, signal) => console.log('stays', 'exit', code, signal, worker.exitedAfterDisconnect));
}

if (cluster.isPrimary) {
  console.log('none', cluster.disconnect());
  cluster.disconnect(() => {
    console.log('none', 'called');
    several();
  });
  console.log('none', 'returned');
} else if (process.env.STAYS) {
  process.on('disconnect', () => {});
  cluster.worker.removeAllListeners('disconnect');
  process.removeAllListeners('disconnect');
  setInterval(() => {}, 1000);
  process.send('ready');
}
