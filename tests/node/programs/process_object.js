// SPDX-License-Identifier: MIT
// worker.process is as Node's.
const asyncHooks = require('node:async_hooks');
const { ChildProcess } = require('node:child_process');
const cluster = require('node:cluster');

if (cluster.isPrimary) {
  const types = new Set();
  asyncHooks.createHook({ init(id, type) { if (/^(PROCESS|PIPE)WRAP$/.test(type)) types.add(type); } }).enable();
  const worker = cluster.fork();
  const { process: child } = worker;
  console.log('types', [...types].sort());
  console.log('own', ['send', 'disconnect', 'connected', 'channel', 'pid'].map((name) => Object.hasOwn(child, name)));
  console.log('class', child.constructor === ChildProcess, child instanceof ChildProcess, child.constructor.name);
  console.log('resources', ['ProcessWrap', 'PipeWrap'].map((name) => process.getActiveResourcesInfo().includes(name)));
  worker.on('listening', () => {
    console.log('listeners', process.getActiveResourcesInfo().filter((name) => name.includes('Server')));
    console.log('channel', child.channel !== null, child.connected);
    child.disconnect();
    console.log('disconnected', child.channel, child.connected);
  });
  worker.on('exit', (code) => console.log('exit', code));
} else {
  process.on('disconnect', () => process.exit(0));
  require('node:net').createServer().listen(0, '127.0.0.1');
}
