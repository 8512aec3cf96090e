// SPDX-License-Identifier: MIT
// A worker that writes what is no message, in both serializations: it is an error where somebody listens, never the primary's end.
const assert = require('node:assert');
const fs = require('node:fs');
const cluster = require('muster-cluster');

// Lengths that no message has, and what is no JSON.
const bytes = {
  advanced: [1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1].map((length) => {
    const header = Buffer.alloc(4);
    header.writeUInt32BE(length);
    return header;
  }).concat(Buffer.from('\0\0\0\x03abc')),
  json: [Buffer.from('no message\n'), Buffer.from('{"cmd":"NODE_CLUSTER"\n'), Buffer.from('half a line')],
};

if (cluster.isPrimary) {
  const before = process.memoryUsage().rss;
  const outcomes = [];
  let left = 0;
  for (const [serialization, list] of Object.entries(bytes)) {
    list.forEach((_, which) => {
      for (const heard of [true, false]) {
        ++left;
        cluster.setupPrimary({ serialization });
        const worker = cluster.fork({ KIND: serialization, WHICH: which });
        const seen = [];
        if (heard) worker.on('error', ({ code }) => seen.push(code));
        worker.on('message', (message) => seen.push(message));
        worker.on('disconnect', () => seen.push('disconnect'));
        worker.on('exit', (code) => {
          seen.push(code);
          outcomes.push(seen);
          assert.strictEqual(seen[0], 'before');
          assert.ok(seen.includes('disconnect') && seen.includes(5), seen.join());
          if (heard) assert.ok(seen.some((each) => /^ERR_IPC/.test(each)), `${serialization} ${which}: ${seen}`);
          else assert.strictEqual(seen.length, 3);
          if (--left === 0) assert.ok(process.memoryUsage().rss - before < 200 * 2 ** 20);
        });
      }
    });
  }
} else {
  process.send('before', () => {
    fs.writeSync(process.channel.fd, bytes[process.env.KIND][process.env.WHICH]);
    process.exit(5);
  });
}
