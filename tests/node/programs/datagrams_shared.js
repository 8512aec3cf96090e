// SPDX-License-Identifier: MIT
// One datagram socket for several workers: each reads its share and leaves, and nothing is lost; then the primary is sent to.
const cluster = require('node:cluster');
const dgram = require('node:dgram');

const workers = 3;
const each = 5;

if (cluster.isPrimary) {
  const ports = new Set();
  let listening = 0;
  const back = dgram.createSocket('udp4');
  const counts = {};
  back.on('message', (data) => {
    counts[data] = (counts[data] ?? 0) + 1;
    if (Object.values(counts).reduce((sum, count) => sum + count, 0) < workers * each) return;
    console.log('counts', JSON.stringify(counts, Object.keys(counts).sort()));
    back.close();
  });
  back.bind(0, '127.0.0.1', () => {
    for (let i = 0; i < workers; i++) cluster.fork({ BACK: back.address().port });
  });
  cluster.on('listening', (worker, { port }) => {
    ports.add(port);
    if (++listening < workers) return;
    console.log('ports', ports.size);
    for (let i = 0; i < workers * each; i++) back.send('a datagram', port, '127.0.0.1');
  });
  cluster.on('disconnect', (worker) => console.log(`disconnect-${worker.id}`, worker.exitedAfterDisconnect));
  cluster.on('exit', (worker, code, signal) => console.log(worker.id, 'exit', code, signal));
} else {
  let count = 0;
  const socket = dgram.createSocket('udp4');
  socket.on('message', () => {
    socket.send(`worker ${cluster.worker.id}`, process.env.BACK, '127.0.0.1', () => {
      if (++count === each) socket.close(() => cluster.worker.disconnect());
    });
  });
  socket.bind(0, '127.0.0.1');
}
