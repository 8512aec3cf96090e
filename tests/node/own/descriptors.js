// SPDX-License-Identifier: MIT
// A worker that asks for the descriptors of its primary gets what may be listened on and is not muster's: no channel of another
// worker's, no connection, no port that muster listens on.
const assert = require('node:assert');
const fs = require('node:fs');
const net = require('node:net');
const cluster = require('muster-cluster');

if (cluster.isPrimary) {
  cluster.schedulingPolicy = process.env.POLICY === 'none' ? cluster.SCHED_NONE : cluster.SCHED_RR;
  const server = net.createServer().listen(0, '127.0.0.1', () => {
    const other = cluster.fork({ ROLE: 'serve' });
    other.on('listening', ({ port }) => {
      net.connect(port, '127.0.0.1').on('connect', function () {
        const thief = cluster.fork({ ROLE: 'ask', OWN: server._handle.fd });
        thief.on('message', (granted) => {
          assert.deepStrictEqual(granted, [server._handle.fd]);
          this.destroy();
          server.close();
          cluster.disconnect();
        });
      });
    });
  });
} else if (process.env.ROLE === 'serve') {
  net.createServer().listen(0, '127.0.0.1');
} else {
  const granted = new Set();
  const kinds = [4, 6, -1, 'udp4', 'udp6'];
  let left = 0;
  const done = () => {
    if (--left === 0) process.send([...granted]);
  };
  let seq = 1000;
  const asked = new Map();
  process.prependListener('internalMessage', (message, handle) => {
    const fd = asked.get(message.ack);
    if (fd === undefined) return;
    if (handle) handle.close();
    if (!message.errno) granted.add(fd);
    done();
  });
  for (let fd = 0; fd < 100; ++fd) {
    for (const addressType of kinds) {
      ++left;
      asked.set(++seq, fd);
      process._send({ cmd: 'NODE_CLUSTER', act: 'queryServer', seq, index: 0, data: null, address: null, port: null, addressType, fd, flags: 0, backlog: 0 });
    }
  }
}
