// SPDX-License-Identifier: MIT
// A worker of another user listens where that user may, and where the settings say.
const assert = require('node:assert');
const cluster = require('muster-cluster');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');

const nobody = 65534;

async function freeLowPort() {
  for (let port = 1023; port > 600; port--) {
    const free = await new Promise((done) => {
      const server = net.createServer().on('error', () => done(false)).listen(port, '127.0.0.1', () => server.close(() => done(true)));
    });
    if (free) return port;
  }
  throw new Error('no port below 1024 is free');
}

async function main() {
  for (const wrong of [{}, true, -1, 65536, 1.5, { port: 80, path: '/x' }, { fd: -1 }, [[80]]]) {
    cluster.setupPrimary({ mayListen: wrong });
    assert.throws(() => cluster.fork(), { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE', message: /mayListen\[0\]' must be a port/ });
  }
  cluster.setupPrimary({ mayListen: undefined });
  if (process.getuid() !== 0) return console.log('only root starts workers of another user');
  // Where nobody may read it, and the Node that runs it.
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'may-listen-'));
  fs.chmodSync(folder, 0o755);
  const exec = path.join(folder, 'worker.js');
  fs.writeFileSync(exec, `
    const server = require('node:net').createServer();
    server.on('error', ({ code }) => process.send(code, () => process.disconnect()));
    server.listen(Number(process.argv[2]), '127.0.0.1', () => process.send('listens', () => process.disconnect()));
  `);
  const execPath = path.join(folder, 'node');
  fs.copyFileSync(process.execPath, execPath);
  fs.chmodSync(execPath, 0o755);
  const port = await freeLowPort();
  cluster.setupPrimary({ exec, args: [`${port}`], execArgv: [], uid: nobody, gid: nobody });
  process.execPath = execPath;
  const answer = async () => {
    const worker = cluster.fork();
    const errors = [];
    worker.on('error', ({ code }) => errors.push(code));
    const said = await new Promise((done) => worker.once('message', done));
    await new Promise((done) => worker.on('exit', done));
    return [said, ...errors];
  };
  assert.deepStrictEqual(await answer(), ['EACCES', 'ERR_LISTEN_NOT_PERMITTED']);
  for (const mayListen of [port, [1, port], { port, host: '127.0.0.1' }]) {
    cluster.setupPrimary({ mayListen });
    assert.deepStrictEqual(await answer(), ['listens']);
  }
  cluster.setupPrimary({ mayListen: { port, host: '127.0.0.2' } });
  assert.deepStrictEqual(await answer(), ['EACCES', 'ERR_LISTEN_NOT_PERMITTED']);
  fs.rmSync(folder, { recursive: true });
  console.log('done');
}

main();
