// SPDX-License-Identifier: MIT
// HTTP on a path: addresses, the socket's mode, and that the file goes with the last worker.
const cluster = require('node:cluster');
const fs = require('node:fs');
const http = require('node:http');
const os = require('node:os');
const path = require('node:path');

if (cluster.isPrimary) {
  const name = path.join(os.tmpdir(), `paths-${process.pid}`);
  const kinds = { plain: {}, open: { readableAll: true, writableAll: true } };
  for (const [kind, options] of Object.entries(kinds)) {
    const file = `${name}-${kind}`;
    const worker = cluster.fork({ OPTIONS: JSON.stringify({ path: file, ...options }) });
    worker.on('listening', ({ address, ...rest }) => {
      const mode = (fs.statSync(file).mode & 0o777).toString(8);
      console.log(kind, 'listening', address === file, JSON.stringify(rest), kind === 'open' ? mode : mode !== '777');
      http.get({ socketPath: file, path: '/where', agent: false }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (data) => text += data).on('end', () => {
          console.log(kind, 'answer', text);
          answered();
        });
      });
    });
    // Which of the two comes first is chance.
    let answered;
    const answer = new Promise((resolve) => { answered = resolve; });
    worker.on('exit', (code, signal) => {
      const there = fs.existsSync(file);
      answer.then(() => console.log(kind, 'exit', code, signal, worker.exitedAfterDisconnect, there));
    });
  }
} else {
  http.createServer((request, response) => {
    const { remoteAddress, localAddress, remotePort } = request.socket;
    response.end(`${request.url} ${remoteAddress} ${localAddress} ${remotePort}`, () => process.disconnect());
  }).listen(JSON.parse(process.env.OPTIONS));
}
