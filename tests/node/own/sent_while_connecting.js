// SPDX-License-Identifier: MIT
// A client's socket may be sent before its connect() is reported, which it is nevertheless. (Node reports ECANCELED now and then.)
const assert = require('node:assert');
const net = require('node:net');

const cluster = require('muster-cluster');

if (cluster.isPrimary) {
  const worker = cluster.fork();
  let connected = false;
  let text = '';
  const server = net.createServer((socket) => {
    socket.setEncoding('utf8').on('data', (more) => text += more);
    socket.on('close', () => {
      assert.strictEqual(text, 'hello');
      assert(connected);
      server.close();
      worker.disconnect();
    });
  });
  worker.on('message', () => server.listen(0, '127.0.0.1', () => {
    const client = net.connect(server.address().port, '127.0.0.1');
    client.on('connect', () => connected = true);
    // By then the system is asked to connect.
    process.nextTick(() => process.nextTick(() => {
      assert(client.connecting);
      worker.send('take', client, (error) => assert.strictEqual(error, null));
    }));
  }));
} else {
  process.send('here');
  process.on('message', (message, socket) => socket.end('hello'));
}
