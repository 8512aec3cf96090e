// SPDX-License-Identifier: MIT
// Workers that share a handle come and go, under the policy of the environment.
const cluster = require('node:cluster');
const { spawn } = require('node:child_process');
const net = require('node:net');

const kinds = {
  // The second asks for the handle while the first is told to let go of it.
  'late'() {
    cluster.fork({ KIND: 'listens' }).once('listening', function() {
      this.disconnect();
      cluster.fork({ KIND: 'listens' }).once('online', function() { this.disconnect(); });
    });
  },
  // One that has no share leaves.
  'stranger'() {
    cluster.fork({ KIND: 'listens' }).once('listening', () => {
      cluster.fork().once('online', function() {
        this.disconnect().once('exit', () => cluster.disconnect());
      });
    });
  },
  // They leave while a connection is waiting for them.
  'in flight'() {
    let listening = 0;
    for (let i = 0; i < 2; i++) cluster.fork({ KIND: 'listens' });
    cluster.on('listening', (worker, { port }) => {
      if (++listening < 2) return;
      net.connect(port, '127.0.0.1').on('error', () => {}).resume();
      cluster.disconnect(() => console.log('called', Object.keys(cluster.workers).length));
    });
  },
  'taken'() {
    const server = net.createServer().listen(0, '127.0.0.1', () => cluster.fork({ KIND: 'told' }));
    cluster.on('message', (worker, message) => {
      console.log('taken', message);
      if (message === 'ready') worker.send(server.address().port);
    });
    cluster.on('exit', () => server.close());
  },
};

const { RUN, KIND } = process.env;
if (cluster.isPrimary && !RUN) {
  console.log('policy', cluster.schedulingPolicy);
  for (const kind of Object.keys(kinds)) {
    const env = { ...process.env, RUN: kind, NODE_CLUSTER_SCHED_POLICY: 'none' };
    spawn(process.execPath, [...process.execArgv, process.argv[1]], { env, stdio: 'inherit' })
      .on('exit', (code, signal) => console.log(kind, 'primary ends', code, signal));
  }
} else if (cluster.isPrimary) {
  console.log(RUN, 'policy', cluster.schedulingPolicy);
  cluster.on('exit', (worker, code, signal) => console.log(RUN, 'exit', code, signal, worker.exitedAfterDisconnect));
  kinds[RUN]();
} else if (KIND === 'listens') {
  net.createServer((socket) => socket.end()).listen(0, '127.0.0.1');
} else if (KIND === 'told') {
  process.on('message', (port) => {
    net.createServer().listen(port, '127.0.0.1').on('error', ({ code, syscall }) => {
      process.send(`${code} ${syscall}`);
      cluster.worker.disconnect();
    });
  });
  process.send('ready');
}
