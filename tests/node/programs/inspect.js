// SPDX-License-Identifier: MIT
// How workers are inspected: which port each is given, and that one which waits for a debugger waits.
const cluster = require('node:cluster');

const asked = (worker) => worker.process.spawnargs.filter((arg) => /^--(inspect|debug)/.test(arg)).join(' ');

function ports(name, settings, count = 2) {
  const before = cluster.settings;
  cluster.settings = {};
  cluster.setupPrimary(settings);
  for (let i = 0; i < count; i++) {
    try {
      const worker = cluster.fork();
      worker.process.kill('SIGKILL');
      const port = process.debugPort;
      console.log(name, asked(worker).replace(/\d{4,}/g, (text) => (+text > port && +text < port + 20 ? 'next' : text)));
      numbers.push(Number(/(\d+)$/.exec(asked(worker))?.[1]));
    } catch (error) {
      console.log(name, error.name, error.code, error.message);
    }
  }
  cluster.settings = before;
}
const numbers = [];

if (cluster.isPrimary) {
  process.debugPort = 12300;
  ports('none', {}, 1);
  ports('plain', { execArgv: ['--inspect-port=9000'] });
  ports('host', { execArgv: ['--inspect-port=127.0.0.1:9000'] });
  ports('debug', { execArgv: ['--debug-port=9000'] });
  ports('number', { execArgv: ['--inspect-port=9000'], inspectPort: 9100 });
  ports('function', { execArgv: ['--inspect-port=9000'], inspectPort: () => 9200 });
  ports('text', { execArgv: ['--inspect-port=9000'], inspectPort: '9300' }, 1);
  ports('zero', { execArgv: ['--inspect-port=9000'], inspectPort: 0 }, 1);
  for (const inspectPort of [null, undefined, -1, 65536, 1.5, 'string', {}, NaN, true]) {
    ports(`wrong-${String(inspectPort)}`, { execArgv: ['--inspect-port=9000'], inspectPort }, 1);
  }
  process.debugPort = 65530;
  ports('wraps', { execArgv: ['--inspect-port=9000'] }, 2);
  process.env.NODE_OPTIONS = `${process.env.NODE_OPTIONS ?? ''} --inspect-port=9000`;
  process.debugPort = 12300;
  ports('options', {}, 2);
  delete process.env.NODE_OPTIONS;
  const sorted = numbers.filter((number) => number > 12300 && number < 12400);
  console.log('increasing', sorted.every((number, i) => i === 0 || number === sorted[i - 1] + 1));
  for (const flag of ['--inspect-brk', '--inspect-brk=127.0.0.1:9000']) {
    cluster.settings = {};
    cluster.setupPrimary({ execArgv: [flag], inspectPort: 0, silent: true });
    const worker = cluster.fork({ HALTED: 1 });
    let text = '';
    worker.process.stdout.on('data', () => console.log(flag, 'output'));
    worker.process.stderr.setEncoding('utf8').on('data', (data) => {
      text += data;
      if (/^For help/m.test(text)) worker.process.kill();
    });
    worker.on('exit', (code, signal) => console.log(flag, 'exit', code, signal, text.split('\n')[0].replace(/:\d+\/.*/, ''), asked(worker)));
  }
} else if (process.env.HALTED) {
  console.log('not halted');
}
