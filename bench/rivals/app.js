// SPDX-License-Identifier: MIT
'use strict';
// The app that both run. With SIGINT=1 it leaves as PM2's documentation advises: closes its server when it is asked to end.

const express = require('express');

const app = express();
app.get('/', (req, res) => res.send('hello world\n'));
const server = app.listen(Number(process.env.PORT));

if (process.env.SIGINT === '1') {
  process.on('SIGINT', () => server.close(() => process.exit(0)));
}
