// SPDX-License-Identifier: MIT
const express = require('express');

const app = express();
app.use(express.json());
app.post('/', (req, res) => res.json({ pid: process.pid, echo: req.body }));
app.listen(0, '127.0.0.1');
