// SPDX-License-Identifier: MIT
// What comes too late for a worker: a connection for a server that has closed, and a handle for one that closed before it listened.
const cluster = require('node:cluster');
const net = require('node:net');
const path = require('node:path');

const { KIND, HOST } = process.env;  // an address each, so that none gets another's connection
if (cluster.isPrimary) {
  cluster.on('listening', (worker, { address }) => console.log(worker.id, 'listening', address));
  cluster.on('message', (worker, message) => {
    console.log(worker.id, message.text);
    if (message.text === 'accepts') {
      const client = net.connect(message.port, message.address).on('error', () => {}).resume();
      worker.on('exit', () => client.destroy());
    }
  });
  // Node's primary may keep a connection that was refused as its last worker left, and not end by itself.
  let left = 4;
  const ended = () => { if (--left === 0) process.exit(); };
  cluster.on('exit', (worker, code, signal) => {
    console.log(worker.id, 'exit', code, signal, worker.exitedAfterDisconnect);
    ended();
  });
  // One that nobody has told of muster: its connections come by Node's message.
  cluster.setupPrimary({ exec: path.join(path.dirname(process.argv[1]), 'oracle.js'), execArgv: [] });
  cluster.fork({ KIND: 'closes on connection', HOST: '127.0.0.1' });
  cluster.setupPrimary({ exec: process.argv[1], execArgv: process.execArgv });
  cluster.fork({ KIND: 'closes at once', HOST: '127.0.0.2' });
  cluster.fork({ KIND: 'killed', HOST: '127.0.0.3' }).on('listening', function({ address, port }) {
    const client = net.connect(port, address).on('error', () => {}).resume();
    client.on('close', () => {
      console.log('client closed');
      ended();
    }).write('to be read');
    this.once('message', () => this.process.kill('SIGKILL'));
  });
} else if (KIND === 'closes at once') {
  const acts = [];
  const { send } = process;
  process.send = function(message, ...rest) {
    if (message.cmd === 'NODE_CLUSTER') acts.push(message.act);
    return send.call(this, message, ...rest);
  };
  const server = net.createServer().listen(0, HOST, () => process.send({ text: 'listening' })).close(() => {
    process.send({ text: `closed ${acts}` }, () => process.disconnect());
  });
} else if (KIND === 'killed') {
  net.createServer((socket) => socket.once('data', () => process.send({ text: 'read' }))).listen(0, HOST);
} else {
  // It closes its server before Node does what the message says.
  const server = net.createServer(() => process.send({ text: 'accepted' })).listen(0, HOST, () => {
    process.send({ text: 'accepts', ...server.address() });
    process.once('internalMessage', () => {});
    process.prependListener('internalMessage', (message, handle) => {
      if (message.act !== 'newconn') return;
      server.close();
      setImmediate(() => process.send({ text: `handle ${handle.constructor.name} ${handle.fd >= 0}` }, () => process.disconnect()));
    });
  });
}
