// SPDX-License-Identifier: MIT
// Descriptors given to a worker: a connection as its output, and the channel among them; and a listening socket given to the primary.
const cluster = require('node:cluster');
const { spawn } = require('node:child_process');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');

const { KIND, PORT } = process.env;
if (cluster.isPrimary && !PORT) {
  cluster.on('exit', (worker, code, signal) => console.log(worker.id, 'exit', code, signal));
  cluster.on('message', (worker, message) => console.log(worker.id, 'message', message));

  const name = path.join(os.tmpdir(), `stdio-given-${process.pid}`);
  const output = net.createServer((socket) => {
    cluster.setupPrimary({ stdio: ['ignore', socket, 'inherit', 'ipc'] });
    cluster.fork({ KIND: 'output' }).process.on('exit', () => socket.destroy());
    console.log('2 socket', socket.isPaused());
    output.close(() => console.log('2 server closed'));
  }).listen(name, () => {
    let text = '';
    const client = net.connect(name).setEncoding('utf8').on('data', (data) => text += data);
    client.on('close', () => console.log('2 client', text.trim()));
  });

  cluster.setupPrimary({ stdio: ['pipe', 'ipc', 'pipe', 'pipe', 'pipe'] });
  const { stdio, stdout, stderr } = cluster.fork({ KIND: 'early' }).process;
  console.log('1 stdio', stdio.map((stream) => stream && stream.constructor.name), stdout, stderr === stdio[2]);

  const server = net.createServer().listen(0, '127.0.0.1', () => {
    const env = { ...process.env, PORT: server.address().port };
    spawn(process.execPath, [...process.execArgv, process.argv[1]], { env, stdio: ['inherit', 'inherit', 'inherit', server._handle.fd] })
      .on('exit', (code, signal) => console.log('listening', 'primary ends', code, signal));
    server.close();
  });
} else if (cluster.isPrimary) {
  cluster.fork();
  cluster.fork();
  let listening = 0;
  cluster.on('listening', (worker, address) => {
    console.log('listening', JSON.stringify({ ...address, port: address.port > 0 }));
    if (++listening < 2) return;
    net.connect(PORT, '127.0.0.1').setEncoding('utf8').on('data', (text) => {
      console.log('client', text);
      cluster.disconnect();
    });
  });
  cluster.on('exit', (worker, code, signal) => console.log('listening', 'exit', code, signal));
} else if (PORT) {
  net.createServer((socket) => socket.end('by a worker')).listen({ fd: 3 });
} else if (KIND === 'output') {
  console.log('written to a connection');
  process.disconnect();
} else {
  process.send('by the first descriptor', () => process.disconnect());
}
