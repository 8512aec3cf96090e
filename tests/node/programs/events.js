// SPDX-License-Identifier: MIT
// Every event of a life, on cluster, worker and process, with its arguments.
const cluster = require('node:cluster');
const net = require('node:net');

function show(value) {
  return value instanceof cluster.Worker ? `worker-${value.id}` : JSON.stringify(value, (key, v) => key === 'port' ? typeof v : v);
}

if (cluster.isPrimary) {
  // An end and that of the channel come in either order, so each has lines of its own.
  const about = (name) => name === 'disconnect' ? 'disconnect' : name === 'exit' || name === 'close' ? 'end' : '1';
  const names = ['fork', 'online', 'listening', 'message', 'disconnect', 'exit', 'setup', 'spawn', 'close'];
  for (const name of names) {
    cluster.on(name, (...args) => console.log(about(name), 'cluster', name, name === 'setup' ? Object.keys(args[0]) : args.map(show).join(' ')));
  }
  const worker = cluster.fork();
  for (const name of names) {
    worker.on(name, function(...args) { console.log(about(name), 'worker', name, this === worker, worker.state, args.map(show).join(' ')); });
    worker.process.on(name, (...args) => console.log(about(name), 'process', name, args.map(show).join(' ')));
  }
  console.log('1', worker.id, worker.state, worker.isConnected(), worker.isDead(), worker instanceof cluster.Worker,
    worker.process.connected, worker.process.exitCode, worker.process.signalCode, typeof worker.process.pid,
    worker.process.spawnargs.length - process.execArgv.length, worker.process.spawnfile === process.execPath, worker.exitedAfterDisconnect, cluster.worker);
  worker.on('message', (message) => { if (message.last) worker.disconnect(); });
  let gone = 0;
  for (const name of ['exit', 'disconnect']) cluster.on(name, () => ++gone === 2 && console.log('workers', Object.keys(cluster.workers).length));
} else {
  console.log('worker', process.env.NODE_UNIQUE_ID, cluster.worker.id, cluster.isMaster, cluster.isWorker, cluster.worker.isDead());
  net.createServer().listen(0, '127.0.0.1', () => {
    process.send({ first: true, text: 'NODE_ \u20ac' });
    cluster.worker.send({ last: true });
  });
  process.on('disconnect', () => console.log('worker disconnected', cluster.worker.isConnected()));
}
