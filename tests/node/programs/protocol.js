// SPDX-License-Identifier: MIT
// Messages that look like those of the cluster or of Node, and bytes that are none.
const cluster = require('node:cluster');
const fs = require('node:fs');

const lengths = [1, 2 ** 31 - 1];
const messages = [{ cmd: 'NODE_SOMETHING', a: 1 }, { cmd: 'something NODE_' }, { cmd: 'NODE' }, { cmd: 'NODE_' }, { cmd: 7 }, { text: 'NODE_' },
  { cmd: 'NODE_CLUSTER', ack: 12345678 }, { cmd: 'NODE_CLUSTER', ack: 1, act: 'no such act' }, { cmd: 'NODE_CLUSTER' }, 'last'];

function show(who, emitter) {
  emitter.on('message', (message) => console.log(who, 'message', JSON.stringify(message)));
  emitter.on('internalMessage', (message) => {
    if (message.cmd !== 'NODE_CLUSTER') console.log(who, 'internalMessage', JSON.stringify(message));
  });
}

if (cluster.isPrimary) {
  const worker = cluster.fork();
  show('primary', worker.process);
  worker.on('message', (message) => {
    if (message === 'ready') for (const each of messages) worker.send(each);
    if (message === 'last') worker.disconnect();
  });
  cluster.setupPrimary({ serialization: 'advanced' });
  for (const length of lengths) cluster.fork({ LENGTH: length });
  cluster.on('message', (from, message) => console.log(from.id, 'message', message));
  cluster.on('disconnect', (from) => console.log(`disconnect-${from.id}`, from.isConnected()));
  cluster.on('exit', (from, code, signal) => console.log(from.id, 'exit', code, signal));
} else if (process.env.LENGTH) {
  const header = Buffer.alloc(4);
  header.writeUInt32BE(Number(process.env.LENGTH));
  process.send('before', () => {
    fs.writeSync(process.channel.fd, header);
    process.exit(5);
  });
} else {
  show('worker', process);
  process.on('message', (message) => {
    if (message === 'last') for (const each of messages) process.send(each);
  });
  process.send('ready');
}
