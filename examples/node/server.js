// SPDX-License-Identifier: MIT
'use strict';
// A server that knows nothing of clusters. `muster run -n max server.js` runs it on every processor.
const http = require('node:http');

const server = http.createServer((request, response) => {
  response.end(`hello world from process ${process.pid}\n`);
});
server.listen(process.env.PORT || 8000);
