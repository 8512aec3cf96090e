// SPDX-License-Identifier: MIT
// Workers that listen on two ports that the system chooses agree on both; and again, once all have gone.
const cluster = require('node:cluster');
const net = require('node:net');

const workers = 4;

if (cluster.isPrimary) {
  round(1, () => round(2, () => {}));
} else {
  for (let i = 0; i < 2; i++) net.createServer((socket) => socket.end(`server ${i}`)).listen(0, '127.0.0.1');
}

function round(number, done) {
  const ports = new Map();
  let exits = 0;
  for (let i = 0; i < workers; i++) {
    cluster.fork().on('exit', (code, signal) => {
      console.log('round', number, 'exit', code, signal);
      if (++exits === workers) done();
    }).on('listening', ({ port }) => {
      ports.set(port, (ports.get(port) ?? 0) + 1);
      if ([...ports.values()].reduce((sum, count) => sum + count, 0) === 2 * workers) connect();
    });
  }
  function connect() {
    console.log('round', number, [...ports.values()]);
    const answers = [];
    for (const port of ports.keys()) {
      net.connect(port, '127.0.0.1').setEncoding('utf8').on('data', (text) => {
        if (answers.push(text) < 2) return;
        console.log('round', number, answers.sort());
        cluster.disconnect(() => console.log(`disconnected-${number}`, Object.keys(cluster.workers).length));
      });
    }
  }
}
