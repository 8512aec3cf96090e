// SPDX-License-Identifier: MIT
// A message leaves when it is sent, however long the primary is busy afterwards.
const cluster = require('node:cluster');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const limitMs = 20_000;

if (cluster.isPrimary) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'busy-'));
  const file = path.join(folder, 'arrived');
  const worker = cluster.fork({ FILE: file });
  worker.on('message', () => {
    worker.send('go', (error) => console.log('sent', error));
    const end = Date.now() + limitMs;
    while (!fs.existsSync(file) && Date.now() < end);
    console.log('busy', fs.existsSync(file));
    worker.send('more', (error) => console.log('more', error));
    worker.kill('SIGKILL');
  });
  worker.on('exit', (code, signal) => {
    console.log('exit', code, signal);
    fs.rmSync(folder, { recursive: true });
  });
} else {
  process.send('here');
  process.on('message', () => fs.writeFileSync(process.env.FILE, ''));
}
