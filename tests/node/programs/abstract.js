// SPDX-License-Identifier: MIT
// A Unix socket whose name is no file. (Node 20 fills such a name up with zeros, which makes another name of it.)
const cluster = require('node:cluster');
const net = require('node:net');
const path = require('node:path');

if (Number(process.versions.node.split('.')[0]) < 22) {
  console.log('not on this Node');
} else if (cluster.isPrimary) {
  const name = `\0muster-test-${process.pid}`;
  let listening = 0;
  for (let i = 0; i < 2; i++) {
    cluster.fork({ NAME: name.slice(1) }).on('exit', (code, signal) => console.log('exit', code, signal));
  }
  cluster.on('listening', (worker, { addressType, address, port, fd }) => {
    console.log('listening', addressType, address === path.resolve(name), port, fd);
    if (++listening < 2) return;
    net.connect(name).setEncoding('utf8').on('data', (text) => console.log('client', text)).on('close', () => cluster.disconnect());
  });
} else {
  net.createServer((socket) => socket.end('hello')).listen(`\0${process.env.NAME}`);
}
