// SPDX-License-Identifier: MIT
// A long message with a socket there and back, in both serializations: each socket with its own message.
const cluster = require('node:cluster');
const net = require('node:net');

const long = '\u20acuro'.repeat(200000);

if (cluster.isPrimary) {
  for (const serialization of ['json', 'advanced']) {
    cluster.setupPrimary({ serialization });
    const worker = cluster.fork();
    const server = net.createServer({ pauseOnConnect: true }, (socket) => {
      worker.send('before');
      worker.send({ long }, socket, (error) => console.log('sent', error));
      worker.send('after');
    });
    worker.on('message', (message, handle) => {
      if (message === 'ready') {
        server.listen(0, '127.0.0.1', () => net.connect(server.address().port, '127.0.0.1').resume().on('close', () => {
          console.log('client closed');
          server.close();
        }));
        return;
      }
      console.log(serialization, message.long ? `long ${message.long === long}` : message, handle instanceof net.Socket);
      if (handle) handle.end();
    });
    worker.on('exit', (code, signal) => console.log(serialization, 'exit', code, signal));
  }
} else {
  process.on('message', (message, handle) => {
    process.send(message, handle, () => { if (message === 'after') process.channel.unref(); });
  });
  process.send('ready');
}
