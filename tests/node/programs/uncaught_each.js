// SPDX-License-Identifier: MIT
// An exception in a listener of each event, and in callbacks, with nobody to catch it: what was queued and what the end says.
const cluster = require('node:cluster');
const { spawn } = require('node:child_process');
const net = require('node:net');

const events = ['setup', 'listening', 'message', 'process message', 'sent', 'disconnected', 'rejected', 'caught listening', 'caught sent', 'caught setup'];
const { EVENT } = process.env;

if (cluster.isPrimary && !EVENT) {
  for (const event of events) {
    const child = spawn(process.execPath, [...process.execArgv, process.argv[1]], { env: { ...process.env, EVENT: event }, stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (data) => text += data);
    let errors = '';
    child.stderr.setEncoding('utf8').on('data', (data) => errors += data);
    child.on('close', (code, signal) => console.log(event.replace(' ', '-'), 'ends', code, signal, JSON.stringify(text.trim().split('\n')), /^Error: .*/m.exec(errors)?.[0]));
  }
} else if (cluster.isPrimary) {
  process.on('exit', (code) => console.log('at exit', code));
  const kind = EVENT.replace('caught ', '');
  if (kind !== EVENT) {
    process.on('uncaughtException', (error, origin) => {
      console.log('caught', error.message, origin);
      setImmediate(() => cluster.disconnect());
    });
  }
  const fail = () => {
    process.nextTick(() => console.log('tick'));
    queueMicrotask(() => console.log('microtask'));
    throw new Error(`in ${kind}`);
  };
  const worker = cluster.fork();
  if (kind === 'sent') worker.on('online', () => worker.send('text', fail));
  else if (kind === 'disconnected') worker.on('listening', () => cluster.disconnect(fail));
  else if (kind === 'process message') worker.process.on('message', fail);
  else if (kind === 'rejected') worker.on('online', async () => fail());
  else cluster.on(kind, fail);
  if (kind !== 'sent') worker.on('listening', () => console.log('listening'));
} else {
  net.createServer().listen(0, '127.0.0.1', () => process.send('message'));
}
