// SPDX-License-Identifier: MIT
// A socket that stays with the primary too when it is sent: both write to it. Also where the worker has no other stdio.
const cluster = require('node:cluster');
const net = require('node:net');

if (cluster.isPrimary) {
  for (const [name, stdio] of Object.entries({ usual: undefined, ignored: ['ignore', 'ignore', 'ignore', 'ipc'] })) {
    cluster.setupPrimary({ stdio });
    const worker = cluster.fork();
    const server = net.createServer({ pauseOnConnect: true }, (socket) => {
      worker.send('socket', socket, { keepOpen: true }, (error) => console.log(name, 'sent', error));
      worker.on('message', (message) => {
        console.log(name, message, socket.destroyed);
        socket.end(', then the primary');
        server.getConnections((error, count) => console.log('connections', error, count));
      });
    });
    worker.once('message', () => server.listen(0, '127.0.0.1', () => {
      let text = '';
      net.connect(server.address().port, '127.0.0.1').setEncoding('utf8').on('data', (data) => text += data).on('close', () => {
        console.log(name, 'client', text);
        server.close(() => {
          console.log(name, 'server closed');
          worker.disconnect();
        });
      });
    }));
    worker.on('exit', (code, signal) => console.log(name, 'exit', code, signal));
  }
} else {
  process.on('message', (message, socket) => socket.write('the worker', () => {
    socket.destroy();
    process.send('written');
  }));
  process.send('ready');
}
