// SPDX-License-Identifier: MIT
// Wrong arguments: the code and the text of each.
const cluster = require('node:cluster');

function wrong(name, f) {
  try {
    f();
    console.log(name, 'no error');
  } catch (error) {
    console.log(name, error.name, error.code, error.message, error.stack.split('\n')[0]);
  }
}

if (cluster.isPrimary) {
  const settings = (changes) => () => {
    const before = cluster.settings;
    cluster.setupPrimary(changes);
    try {
      cluster.fork();
    } finally {
      cluster.settings = before;
    }
  };
  wrong('exec', settings({ exec: 7 }));
  wrong('exec nul', settings({ exec: 'a\0b' }));
  wrong('exec undefined', settings({ exec: undefined }));
  wrong('args', settings({ args: 'text' }));
  wrong('cwd', settings({ cwd: 7 }));
  wrong('serialization', settings({ serialization: 'xml' }));
  wrong('stdio', settings({ stdio: ['pipe', 'pipe'] }));
  wrong('stdio twice', settings({ stdio: ['pipe', 'ipc', 'ipc'] }));
  wrong('stdio word', settings({ stdio: ['something', 'pipe', 'pipe', 'ipc'] }));
  wrong('stdio text', settings({ stdio: 'something' }));
  wrong('uid', settings({ uid: 'root' }));
  wrong('gid', settings({ gid: 1.5 }));
  wrong('port', settings({ execArgv: ['--inspect'], inspectPort: 70000 }));
  wrong('env', () => cluster.fork({ 'A': 'a\0b' }));
  wrong('no new', () => console.log(cluster.Worker() instanceof cluster.Worker));
  const plain = new cluster.Worker();
  console.log('plain', plain.id, plain.state, plain.process, plain.exitedAfterDisconnect, plain instanceof cluster.Worker);
  const given = cluster.Worker({ id: '3', state: 'online', process });
  console.log('given', given.id, given.state, given.process === process);

  const worker = cluster.fork();
  wrong('message', () => worker.send());
  wrong('message symbol', () => worker.send(Symbol('s')));
  wrong('message function', () => worker.send(function f() {}));
  wrong('message bigint', () => worker.send(1n));
  wrong('options', () => worker.send('a', undefined, 'options'));
  wrong('handle', () => worker.send('a', {}));
  wrong('signal', () => worker.process.kill('SIGNOTHING'));
  wrong('signal number', () => worker.process.kill(12345));
  const circle = {};
  circle.circle = circle;
  wrong('circle', () => worker.send(circle));
  worker.disconnect();
  worker.on('exit', (code, signal) => console.log('exit', code, signal, worker.process.kill(), worker.process.killed));
}
