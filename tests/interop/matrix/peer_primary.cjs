// SPDX-License-Identifier: MIT
// The primary of one cell of the matrix, for Node, Bun and Deno; its workers are muster's. What it says is what happened.
// native_primary.cpp does the same with muster.
'use strict';
const fork = require('node:child_process').fork;
// Deno starts every worker with itself, whatever process.execPath says.
if (globalThis.Deno) {
  require('node:child_process').fork = (file, args, options) => fork(file, args, { ...options, execPath: process.env.MATRIX_PROGRAM });
}
const cluster = require('node:cluster');
const dgram = require('node:dgram');
const fs = require('node:fs');
const http = require('node:http');
const net = require('node:net');
const { isDeepStrictEqual } = require('node:util');

process.execPath = process.env.MATRIX_PROGRAM;
cluster.setupPrimary({ exec: 'unused', args: [], serialization: process.env.MATRIX_SERIALIZATION });

const host = '127.0.0.1';
const say = (text) => fs.writeSync(1, '> ' + text + '\n');
const finish = () => cluster.disconnect();
const start = () => cluster.fork({ TESTS_WORKER: 'MatrixWorker' });

cluster.on('exit', (worker, code, signal) => say(`exit ${signal || code} ${worker.exitedAfterDisconnect}`));
cluster.on('message', (worker, message) => message && message.failed && say('worker: ' + message.failed));
process.on('exit', (code) => say('end ' + code));

// Reads what a connection brings, to its end.
const read = (socket, done) => {
  let text = '';
  socket.on('data', (bytes) => (text += bytes));
  socket.on('error', (error) => say('client: ' + error.code));
  socket.on('close', () => done(text));
};
const hear = (port) => {
  const client = dgram.createSocket('udp4');
  client.on('message', (bytes) => {
    say(String(bytes));
    client.close(finish);
  });
  client.send('ping', port, host);
};
const ask = (target) =>
  read(net.connect(target), (text) => {
    say(text);
    finish();
  });
const once_listening = (f) => cluster.on('listening', f);
const echo = (message) => {
  const worker = start();
  worker.on('online', () => worker.send(message));
  worker.on('message', (answer) => {
    say(isDeepStrictEqual(answer, message) ? 'the same' : 'not the same: ' + JSON.stringify(answer).slice(0, 100));
    finish();
  });
};
// The worker listens, is told to do something and ends.
const ends = (f) => {
  const worker = start();
  // Node 24 and 26, when they have shared a socket, may end without telling that a worker that ended at once disconnected.
  if (process.env.MATRIX_ACTION !== 'asked_to_leave') cluster.on('disconnect', () => say('disconnect'));
  once_listening(() => {
    say('listening');
    f(worker);
  });
};

const actions = {
  http: () => {
    const answers = {};
    let listening = 0, left = 8;
    once_listening((worker, address) => {
      if (++listening < 2) return;
      for (let i = 0; i < 8; i++) {
        http.get({ port: address.port, host, agent: false }, (response) => {
          let text = '';
          response.on('data', (bytes) => (text += bytes));
          response.on('end', () => {
            answers[text] = (answers[text] || 0) + 1;
            if (--left) return;
            // The system deals to whom it likes.
            if (process.env.NODE_CLUSTER_SCHED_POLICY === 'none') say('8 answers');
            else Object.keys(answers).sort().forEach((text) => say(text));
            finish();
          });
        });
      }
    });
    start();
    start();
  },
  net: () => {
    once_listening((worker, address) => ask({ port: address.port, host }));
    start();
  },
  path: () => {
    once_listening((worker, address) => {
      say('listening ' + address.addressType);
      ask({ path: address.address });
    });
    start();
  },
  udp: () => {
    once_listening((worker, address) => {
      say('listening ' + address.addressType);
      hear(address.port);
    });
    start();
  },
  message: () => echo({ a: [1, -0.5, 1e21, 'é😀', null, true, {}], b: { d: '\n\u2028', c: '' } }),
  large: () => echo('x'.repeat(1 << 20)),
  socket_to_worker: () => {
    const worker = start();
    const server = net.createServer((socket) => {
      worker.send('a socket', socket);
      server.close();
    });
    worker.on('online', () => server.listen(0, host, () => ask({ port: server.address().port, host })));
  },
  socket_to_primary: () => {
    const worker = start();
    const server = net.createServer((socket) => {
      server.close();
      read(socket, (text) => {
        say(text);
        finish();
      });
    });
    worker.on('online', () => server.listen(0, host, () => worker.send(server.address().port)));
    worker.on('message', (message, socket) => (socket ? socket.end('hello from the primary') : say('no handle')));
  },
  server_to_worker: () => {
    const worker = start();
    const server = net.createServer(() => say('the connection came here'));
    let port;
    worker.on('online', () =>
      server.listen(0, host, () => {
        port = server.address().port;
        worker.send('a server', server);
      }),
    );
    worker.on('message', () => server.close(() => ask({ port, host })));
  },
  server_to_primary: () => {
    const worker = start();
    let port;
    worker.on('online', () => worker.send('send yours'));
    worker.on('message', (message, server) => {
      if (message === 'closed') return ask({ port, host });
      if (!server) return say('no handle');
      port = message.port;
      server.on('connection', (socket) => {
        socket.end('hello from the primary');
        server.close();
      });
      worker.send('close yours');
    });
  },
  udp_to_worker: () => {
    const worker = start();
    const socket = dgram.createSocket('udp4');
    let port;
    worker.on('online', () =>
      socket.bind(0, host, () => {
        port = socket.address().port;
        worker.send('a socket', socket);
      }),
    );
    worker.on('message', () => socket.close(() => hear(port)));
  },
  udp_to_primary: () => {
    const worker = start();
    let port;
    worker.on('online', () => worker.send('send yours'));
    worker.on('message', (message, socket) => {
      if (message === 'closed') return hear(port);
      if (!socket) return say('no handle');
      port = message.port;
      socket.on('message', (bytes, from) => socket.send('hello from the primary', from.port, from.address, () => socket.close()));
      worker.send('close yours');
    });
  },
  port_taken: () => {
    const worker = start();
    const taken = net.createServer();
    worker.on('online', () => taken.listen(0, host, () => worker.send(taken.address().port)));
    worker.on('message', (message) => {
      if (message === 'it listens') say(message);
      taken.close();
      finish();
    });
  },
  asked_to_leave: () => ends((worker) => worker.disconnect()),
  leaves: () => ends((worker) => worker.send('leave')),
  kills_itself: () => ends((worker) => worker.send('kill yourself')),
  exits: () => ends((worker) => worker.send('exit')),
  killed: () => ends((worker) => worker.kill()),
  closes_channel: () => ends((worker) => worker.send('close the channel')),
  primary_dies: () => ends(() => process.kill(process.pid, 'SIGKILL')),
};

actions[process.env.MATRIX_ACTION]();
