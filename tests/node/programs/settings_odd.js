// SPDX-License-Identifier: MIT
// Settings in all the forms that Node takes, and refuses.
const cluster = require('node:cluster');
const path = require('node:path');
const { pathToFileURL } = require('node:url');

const file = process.argv[1];
const report = (worker) => new Promise((done) => {
  worker.on('error', (error) => console.log('error', worker.id, error.code, error.syscall));
  worker.on('exit', (code, signal) => console.log('exit', worker.id, code, signal));
  worker.on('message', (message) => console.log('says', worker.id, JSON.stringify(message)));
  worker.process.on('close', (code, signal) => {
    console.log('close', worker.id, code, signal);
    done();
  });
});
const attempt = async (what, settings) => {
  console.log('attempt', what);
  cluster.setupPrimary({ exec: file, args: ['child'], execArgv: process.execArgv, cwd: undefined, stdio: undefined, uid: undefined, gid: undefined, ...settings });
  try {
    await report(cluster.fork({ CHILD: what }));
  } catch (error) {
    console.log('throws', error.name, error.code, error.syscall, error.errno, error.message.split('\n')[0].replace(path.dirname(file), ''));
  }
};

if (process.argv.includes('child') || process.env.CHILD) {
  if (process.send) process.send({ argv: process.argv.slice(2), execArgv: process.execArgv.filter((arg) => arg.includes('stack')), cwd: process.cwd() }, () => process.disconnect());
} else {
  (async () => {
    await attempt('exec as URL', { exec: pathToFileURL(file) });
    await attempt('exec as another URL', { exec: new URL('http://127.0.0.1/program.js') });
    await attempt('exec as Buffer', { exec: Buffer.from(file) });
    await attempt('exec as number', { exec: 5 });
    await attempt('cwd as URL', { cwd: pathToFileURL('/') });
    await attempt('cwd as Buffer', { cwd: Buffer.from('/usr') });
    await attempt('cwd as number', { cwd: 5 });
    await attempt('cwd that is a file', { cwd: file });
    await attempt('cwd that is not', { cwd: '/nowhere/at/all' });
    await attempt('args with numbers', { args: ['child', 1, null, true] });
    await attempt('args as text', { args: 'child' });
    await attempt('args as null', { args: null });
    await attempt('execArgv', { execArgv: [...process.execArgv, '--stack-size=500'] });
    await attempt('a number in execArgv', { execArgv: [...process.execArgv, 5], stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
    await attempt('a descriptor that is not', { stdio: ['ignore', 'inherit', 987, 'ipc'] });
    await attempt('stdio overlapped', { stdio: 'overlapped' });
    await attempt('stdio ignore', { stdio: 'ignore' });
    await attempt('stdio of another word', { stdio: 'loud' });
    await attempt('stdio without ipc', { stdio: ['inherit', 'inherit', 'inherit'] });
    await attempt('stdio with two', { stdio: ['inherit', 'inherit', 'inherit', 'ipc', 'ipc'] });
    await attempt('uid as text', { uid: 'root' });
    await attempt('serialization', { serialization: 'other' });
    cluster.settings.serialization = undefined;
    await attempt('again', { serialization: undefined });
  })();
}
