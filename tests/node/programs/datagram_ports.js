// SPDX-License-Identifier: MIT
// Datagram sockets in workers: what port each has, who may have the same, and what closing and sending early do.
const cluster = require('node:cluster');
const dgram = require('node:dgram');

const { KIND, PORT } = process.env;
const kinds = ['sends', 'sends', 'binds', 'binds', 'both families', 'twice', 'closes', 'exclusive', 'other'];

if (cluster.isPrimary) {
  const taken = dgram.createSocket('udp4').bind(0, '127.0.0.1', () => {
    const ports = { sends: new Set(), binds: new Set() };
    const left = { sends: 2, binds: 2 };
    const receiver = dgram.createSocket('udp4').on('message', (data, { port }) => {
      const kind = String(data);
      ports[kind].add(port);
      if (--left[kind] === 0) console.log(`ports-${kind}`, ports[kind].size);
      if (left.sends + left.binds === 0) receiver.close();
    }).bind(0, '127.0.0.1', () => {
      for (const kind of kinds) {
        const worker = cluster.fork({ KIND: kind, PORT: kind === 'sends' || kind === 'binds' ? receiver.address().port : taken.address().port });
        if (kind === 'binds') binding.push(worker);
      }
    });
  });
  cluster.on('listening', (worker, { addressType, address }) => console.log(`listening-${worker.id}`, addressType, address));
  let gone = 0;
  let bound = 0;
  const binding = [];
  cluster.on('message', (worker, message) => {
    console.log(worker.id, kinds[worker.id - 1], message);
    if (message !== 'done') return;
    // They have one port while there is one of them.
    if (kinds[worker.id - 1] !== 'binds') worker.disconnect();
    else if (++bound === 2) for (const each of binding) each.disconnect();
  });
  cluster.on('exit', (worker, code, signal) => {
    console.log(worker.id, 'exit', code, signal);
    if (++gone === kinds.length) taken.close();
  });
} else {
  const say = (text) => process.send(text);
  const done = () => say('done');
  const socket = dgram.createSocket({ type: 'udp4', reuseAddr: KIND === 'twice' });
  socket.on('error', ({ code, syscall }) => {
    say(`${code} ${syscall}`);
    done();
  });
  const run = {
    'sends': () => socket.send(KIND, PORT, '127.0.0.1', () => socket.close(done)),
    'binds': () => socket.bind(0, '127.0.0.1', () => socket.send(KIND, PORT, '127.0.0.1', done)),
    'both families': () => socket.bind(0, '0.0.0.0', () => {
      const six = dgram.createSocket({ type: 'udp6', ipv6Only: true }).on('error', ({ code }) => say(code));
      six.bind(socket.address().port, '::', () => {
        say(`same port ${six.address().port === socket.address().port}`);
        done();
      });
    }),
    'twice': () => socket.bind(0, '127.0.0.1', () => {
      const second = dgram.createSocket({ type: 'udp4', reuseAddr: true }).on('error', ({ code }) => say(code));
      second.bind(socket.address().port, '127.0.0.1', () => {
        say(`same port ${second.address().port === socket.address().port}`);
        done();
      });
    }),
    'closes': () => socket.on('close', done).bind(0, '127.0.0.1', () => socket.close()),
    'exclusive': () => socket.bind({ port: +PORT, address: '127.0.0.1', exclusive: true }, () => say('bound')),
    'other': () => socket.bind(+PORT, '127.0.0.1', () => say('bound')),
  };
  run[KIND]();
}
