// SPDX-License-Identifier: MIT
const fs = require('node:fs');
const http2 = require('node:http2');

const server = http2.createSecureServer({ key: fs.readFileSync('key.pem'), cert: fs.readFileSync('cert.pem') });
server.on('stream', async (stream) => {
  let body = '';
  for await (const piece of stream) body += piece;
  stream.respond({ ':status': 200 });
  stream.end(JSON.stringify({ pid: process.pid, echo: JSON.parse(body) }));
});
server.listen(0, '127.0.0.1');
