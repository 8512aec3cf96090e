// SPDX-License-Identifier: MIT
// Node's permission model holds for workers too.
const cluster = require('node:cluster');
const { spawnSync } = require('node:child_process');

const major = Number(process.versions.node.split('.')[0]);
const permission = major < 22 ? '--experimental-permission' : '--permission';

if (process.env.CHILD === undefined) {
  const { stdout, stderr, status } = spawnSync(process.execPath,
    [permission, '--allow-fs-read=*', '--allow-addons', '--no-warnings', ...(major >= 26 ? ['--allow-net'] : []), ...process.execArgv, process.argv[1]],
    { env: { ...process.env, CHILD: '1' }, encoding: 'utf8' });
  console.log('ended', status, stdout, status === 0 ? '' : stderr);
} else if (cluster.isPrimary) {
  try {
    cluster.fork();
    console.log('forked');
  } catch (error) {
    console.log(error.name, error.code, error.permission, error.message);
  }
}
