// SPDX-License-Identifier: MIT
// What a process has that a worker or the primary starts: the standard three, nothing of the cluster; and a worker nothing of others,
// but its channel and what its connections come by.
const cluster = require('node:cluster');
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');

const script = 'console.log(process.env.NODE_CHANNEL_FD, typeof process.send, process.connected, ' +
  "require('fs').readdirSync('/proc/self/fd').map((fd) => { try { return require('fs').readlinkSync('/proc/self/fd/' + fd) } catch { return '' } })" +
  ".filter((name, fd) => fd > 2 && name.startsWith('socket:')).length)";

function start(name, done) {
  const child = spawn(process.execPath, ['-e', script]);
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (data) => text += data);
  child.stderr.setEncoding('utf8').on('data', (data) => text += data);
  child.on('close', (code, signal) => {
    console.log(name, 'child', text.trim(), code, signal);
    done();
  });
}

const sockets = () => fs.readdirSync('/proc/self/fd').filter((fd) => {
  try {
    return fs.readlinkSync(`/proc/self/fd/${fd}`).startsWith('socket:') && fd > 2;
  } catch {
    return false;
  }
}).length;

if (cluster.isPrimary) {
  cluster.fork();
  cluster.once('listening', () => {
    const second = cluster.fork();
    second.once('listening', () => start('primary', () => second.send('start')));
  });
  cluster.on('message', (worker, message) => {
    console.log(worker.id, 'sockets', message <= 2);
    if (worker.id === 2) cluster.disconnect();
  });
  cluster.on('exit', (worker, code) => console.log(worker.id, 'exit', code));
} else {
  process.once('message', () => start('worker', () => process.send(sockets())));
  net.createServer().listen(0, '127.0.0.1');
}
