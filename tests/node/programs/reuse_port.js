// SPDX-License-Identifier: MIT
// Servers with reusePort, which Node has since 22.12: the primary is not asked, and every process has a socket of its own. Before,
// Node knows no such option.
const cluster = require('node:cluster');
const net = require('node:net');

const knows = Number(process.versions.node.split('.')[0]) > 22;

function listen(port, done) {
  const server = net.createServer((socket) => socket.end());
  server.on('error', ({ code, syscall }) => process.send(`${code} ${syscall}`));
  server.listen({ host: '127.0.0.1', port, reusePort: knows }, () => done(server, server.address().port));
}

if (cluster.isPrimary) {
  listen(0, (own, port) => {
    let done = 0;
    cluster.on('listening', (worker, address) => console.log('listening', address.port === port));
    cluster.on('exit', (worker, code, signal) => {
      console.log('exit', code, signal, worker.exitedAfterDisconnect);
      if (++done === 2) own.close();
    });
    for (let i = 0; i < 2; i++) {
      cluster.fork({ PORT: knows ? port : 0 }).on('message', function(text) {
        console.log('message', text);
        this.disconnect();
      });
    }
  });
} else {
  // A server of its own is not closed by disconnect(), and keeps the worker.
  process.once('disconnect', () => process.exit());
  listen(Number(process.env.PORT), (first, port) => {
    listen(port, (second, same) => {
      process.send(`both ${knows} ${same === port}`);
    });
  });
}
