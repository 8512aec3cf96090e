// SPDX-License-Identifier: MIT
// What a worker can listen on, what it is told, and what the primary hears.
const cluster = require('node:cluster');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');

if (cluster.isPrimary) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'listens-'));
  const taken = net.createServer().listen(0, '127.0.0.1', () => {
    const kinds = ['path', 'any', 'v6', 'taken', 'exclusive', 'twice', 'privileged-path'];
    for (const kind of kinds) cluster.fork({ KIND: kind, FOLDER: folder, TAKEN: taken.address().port });
    cluster.on('listening', (worker, address) => {
      const { port, ...rest } = address;
      console.log(worker.id, kinds[worker.id - 1], Object.keys(address).join(), JSON.stringify(rest).replace(folder, ''), port > 0 || port);
    });
    cluster.on('message', (worker, message) => {
      console.log(worker.id, kinds[worker.id - 1], message);
      // A server of its own is nobody's to close.
      if (kinds[worker.id - 1] === 'exclusive') worker.kill();
      else worker.disconnect();
    });
    let gone = 0;
    cluster.on('exit', (worker, code, signal) => {
      console.log(worker.id, 'exit', code, signal);
      if (++gone < kinds.length) return;
      taken.close();
      fs.rmSync(folder, { recursive: true });
    });
  });
} else {
  const server = net.createServer();
  const { KIND, FOLDER, TAKEN } = process.env;
  const say = (error) => process.send(error?.code ? `${error.code} ${error.syscall}` : `address ${typeof server.address()}`);
  server.on('listening', say).on('error', say);
  const options = {
    'path': { path: path.join(FOLDER, 'socket') }, 'any': { port: 0 }, 'v6': { port: 0, host: '::1' },
    'taken': { port: +TAKEN, host: '127.0.0.1' }, 'exclusive': { port: 0, exclusive: true }, 'twice': { port: 0, backlog: 3 },
    'privileged-path': { path: '/proc/nowhere/socket' },
  };
  server.listen(options[KIND]);
}
