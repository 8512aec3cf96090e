// SPDX-License-Identifier: MIT
// A gateway: it asks another server for what it answers.
const http = require('node:http');
const { Pool } = require('undici');

const backend = new Pool(process.env.BACKEND);
http.createServer(async (req, res) => {
  const { statusCode, headers, body } = await backend.request({ path: req.url, method: req.method, body: req });
  res.writeHead(statusCode, { 'Content-Type': headers['content-type'] });
  res.end(JSON.stringify({ pid: process.pid, echo: await body.json() }));
}).listen(0, '127.0.0.1');
