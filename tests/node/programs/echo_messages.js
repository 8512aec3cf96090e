// SPDX-License-Identifier: MIT
// What the primary sends to a worker it hears again.
const cluster = require('node:cluster');

if (cluster.isPrimary) {
  const worker = cluster.fork();
  const said = ['hi there', 7, false, null, { deep: [{ er: 'ü' }] }, []];
  worker.on('message', (message) => {
    if (message === 'ready') return console.log('sent', worker.send(said[0]));
    console.log('heard', JSON.stringify(message));
    said.shift();
    if (said.length > 0) worker.send(said[0]);
    else worker.disconnect();
  });
  worker.on('exit', (code, signal) => console.log('exit', code, signal));
} else {
  process.on('message', (message) => process.send(message));
  process.send('ready');
}
