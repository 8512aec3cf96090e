// SPDX-License-Identifier: MIT
// An address with a zone is listened on, and bound. In a network namespace of its own, where one may be made.
const cluster = require('node:cluster');
const { spawnSync } = require('node:child_process');
const dgram = require('node:dgram');
const net = require('node:net');

const address = 'fe80::1%lo';

if (!process.env.INSIDE) {
  const script = 'ip link set lo up && ip addr add fe80::1/64 dev lo nodad && exec "$@"';
  const { status, stdout } = spawnSync('unshare', ['-n', 'sh', '-c', script, 'sh', process.execPath, ...process.execArgv, process.argv[1]],
    { env: { ...process.env, INSIDE: '1' }, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  console.log('inside', status, stdout);
} else if (cluster.isPrimary) {
  const worker = cluster.fork();
  worker.on('message', (message) => console.log('worker', message));
  worker.on('listening', ({ addressType, address }) => console.log('listening', addressType, address));
  worker.on('exit', (code) => console.log('exit', code));
} else {
  const server = net.createServer((socket) => socket.end()).listen(0, address, () => {
    const client = net.connect(server.address().port, address);
    client.resume().on('close', (failed) => {
      process.send(`connected ${!failed}`);
      const socket = dgram.createSocket('udp6').bind(0, address, () => process.send(`bound to ${socket.address().address}`, () => process.exit()));
    });
  });
}
