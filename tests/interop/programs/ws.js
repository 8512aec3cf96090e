// SPDX-License-Identifier: MIT
const { WebSocketServer } = require('ws');

const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
server.on('connection', (socket) => {
  socket.on('message', (data) => socket.send(JSON.stringify({ pid: process.pid, echo: JSON.parse(data) })));
});
