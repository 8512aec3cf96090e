// SPDX-License-Identifier: MIT
const cluster = require('node:cluster');

if (cluster.isPrimary) {
  process.env.INHERITED = 'yes';
  process.env.REPLACED = 'old';
  process.env.REMOVED = 'old';
  const worker = cluster.fork({ REPLACED: 'new', NUMBER: 7, REMOVED: undefined, EMPTY: '' });
  worker.on('message', (message) => {
    console.log(message);
    worker.disconnect();
  });
} else {
  const { INHERITED, REPLACED, NUMBER, REMOVED, EMPTY, NODE_UNIQUE_ID, NODE_CHANNEL_FD } = process.env;
  console.log('sent', process.send([INHERITED, REPLACED, NUMBER, REMOVED === undefined, EMPTY, NODE_UNIQUE_ID, NODE_CHANNEL_FD]));
}
