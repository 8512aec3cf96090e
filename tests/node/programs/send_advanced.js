// SPDX-License-Identifier: MIT
const cluster = require('node:cluster');
const util = require('node:util');

const circle = { name: 'circle' };
circle.self = circle;
class Point { constructor() { this.x = 1; } }
const messages = [undefined, new Map([[1, { a: 2n }]]), new Set(['NODE_X']), Buffer.from('buffer'), new Uint16Array([1, 2]), circle, new Date(0), /a/g,
  new RangeError('out'), [1, , 3], new Point(), 'NODE_CLUSTER', '\u20acNODE_', -0, NaN, 10n ** 30n];

if (cluster.isPrimary) {
  cluster.setupPrimary({ serialization: 'advanced' });
  const worker = cluster.fork();
  let at = 1;
  worker.on('message', (message) => {
    if (message === 'ready') return;
    console.log(at, message instanceof Error ? `${message.name} ${message.message}` : util.inspect(message));
    if (++at === messages.length) worker.disconnect();
  });
  worker.once('message', () => {
    for (const message of messages.slice(1)) worker.send({ message });
    try {
      worker.send(() => {});
    } catch (error) {
      console.log('threw', error.name, error.code);
    }
    try {
      worker.send({ f() {} });
    } catch (error) {
      console.log('threw', error.name, error.message);
    }
  });
} else {
  process.send('ready');
  process.on('message', ({ message }) => process.send(message instanceof Object || typeof message === 'string' || typeof message === 'number' ? message : { message }));
}
