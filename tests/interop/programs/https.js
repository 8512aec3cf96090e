// SPDX-License-Identifier: MIT
const fs = require('node:fs');
const https = require('node:https');

const server = https.createServer({ key: fs.readFileSync('key.pem'), cert: fs.readFileSync('cert.pem') }, async (req, res) => {
  let body = '';
  for await (const piece of req) body += piece;
  res.end(JSON.stringify({ pid: process.pid, echo: JSON.parse(body) }));
});
server.listen(0, '127.0.0.1');
