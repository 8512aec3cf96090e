// SPDX-License-Identifier: MIT
// Without the right to use the network, a primary opens no port for its workers.
const cluster = require('node:cluster');
const { spawnSync } = require('node:child_process');

const guarded = process.allowedNodeEnvironmentFlags.has('--allow-net');

if (process.env.CHILD === undefined) {
  const { stdout, status } = spawnSync(process.execPath,
    [...(guarded ? ['--permission', '--allow-fs-read=*', '--allow-addons', '--allow-child-process'] : []), '--no-warnings',
      ...process.execArgv, process.argv[1]],
    { env: { ...process.env, CHILD: '1' }, encoding: 'utf8' });
  console.log('ended', status, stdout);
} else if (cluster.isPrimary) {
  process.on('uncaughtException', (error) => {
    console.log(error.name, error.code, error.permission, error.message);
    process.exit(5);
  });
  cluster.fork().on('listening', () => {
    console.log('listening');
    process.exit(0);
  });
} else {
  require('node:net').createServer().listen(0, '127.0.0.1');
}
