// SPDX-License-Identifier: MIT
// Sockets to several workers and back again, all at once, while others go the other way: nobody waits for ever.
const cluster = require('node:cluster');
const net = require('node:net');

const workers = 3;
const each = 8;

if (cluster.isPrimary) {
  const server = net.createServer({ pauseOnConnect: true });
  const clients = [];
  let accepted = 0;
  let returned = 0;
  let answered = 0;
  server.on('connection', (socket) => cluster.workers[accepted++ % workers + 1].send('there', socket));
  cluster.on('message', (worker, message, socket) => {
    if (message !== 'and back') return;
    console.log(worker.id, message, socket instanceof net.Socket, socket.remoteAddress);
    ++returned;
    socket.end('from the primary', () => {});
  });
  let ready = 0;
  for (let i = 0; i < workers; i++) {
    cluster.fork().once('message', () => {
      if (++ready < workers) return;
      server.listen(0, '127.0.0.1', () => {
        for (let j = 0; j < workers * each; j++) clients.push(connect(server.address().port));
      });
    });
  }
  cluster.on('exit', (worker, code, signal) => console.log(worker.id, 'exit', code, signal));

  function connect(port) {
    let text = '';
    return net.connect(port, '127.0.0.1').setEncoding('utf8').on('data', (data) => text += data).on('close', () => {
      if (text !== 'from the worker, from the primary') console.log('client', text);
      if (++answered < workers * each) return;
      console.log('client', 'answered', answered, returned);
      server.close();
      cluster.disconnect();
    });
  }
} else {
  process.on('message', (message, socket) => {
    socket.write('from the worker, ', () => process.send('and back', socket));
  });
  process.send('ready');
}
