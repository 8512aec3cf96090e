// SPDX-License-Identifier: MIT
// A uid that is no longer set is no worker's.
const cluster = require('node:cluster');

const nobody = 65534;

if (cluster.isPrimary) {
  const fork = () => new Promise((done) => {
    const worker = cluster.fork();
    worker.on('message', (ids) => console.log('worker', worker.id, ids));
    worker.on('error', (error) => { console.log('error', error.code); done(); });
    worker.on('exit', done);
  });
  (async () => {
    const root = process.getuid() === 0;
    cluster.setupPrimary(root ? { exec: '/bin/sh', execArgv: [], uid: nobody, gid: nobody } : {});
    cluster.setupPrimary({ exec: process.argv[1], execArgv: process.execArgv, uid: undefined, gid: undefined });
    await fork();
  })();
} else {
  process.send([process.getuid() === 65534, process.getgid() === 65534], () => process.disconnect());
}
