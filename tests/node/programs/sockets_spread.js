// SPDX-License-Identifier: MIT
// A server's connections in three workers, one of which loses its channel: the server closes when the last of them has ended.
const cluster = require('node:cluster');
const net = require('node:net');

const workers = 3;
const count = 12;

if (cluster.isPrimary) {
  const server = net.createServer({ pauseOnConnect: true });
  const clients = [];
  let accepted = 0;
  let held = 0;
  server.on('connection', (socket) => cluster.workers[accepted++ % workers + 1].send('hold', socket));
  let ready = 0;
  for (let i = 0; i < workers; i++) cluster.fork();
  cluster.on('message', (worker, message) => {
    if (message === 'ready' && ++ready === workers) {
      server.listen(0, '127.0.0.1', () => {
        for (let j = 0; j < count; j++) clients.push(net.connect(server.address().port, '127.0.0.1').resume());
      });
    }
    if (message === 'held' && ++held === count) {
      server.getConnections((error, connections) => {
        console.log('connections', error, connections);
        server.close();
        cluster.workers[1].process.disconnect();
      });
    }
  });
  cluster.on('disconnect', (worker) => {
    console.log(`disconnect-${worker.id}`);
    // Its connections are nobody's to count any more. The others end theirs in both ways.
    if (worker.id !== 1) return;
    cluster.workers[2].send('end');
    cluster.workers[3].send('write');
  });
  server.on('close', () => {
    console.log('server', 'closed');
    for (const worker of Object.values(cluster.workers)) if (worker.isConnected()) worker.disconnect();
  });
  cluster.on('exit', (worker, code, signal) => console.log(worker.id, 'exit', code, signal));
} else {
  const sockets = [];
  process.on('message', (message, socket) => {
    if (message === 'hold') {
      sockets.push(socket.resume());
      process.send('held');
    } else {
      for (const each of sockets) message === 'end' ? each.end() : each.end('something to read');
    }
  });
  process.send('ready');
}
