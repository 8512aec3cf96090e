// SPDX-License-Identifier: MIT
const http = require('node:http');
const { Server } = require('socket.io');

const server = http.createServer();
// Polling is many requests of one session: they have to meet the same worker.
const transports = process.env.POLICY === 'ip_hash' ? ['polling'] : ['websocket'];
// A poll that a client left behind is answered then, and the worker need not wait for it when it leaves.
const io = new Server(server, { transports, pingInterval: 200, pingTimeout: 5000 });
io.on('connection', (socket) => {
  socket.on('ask', (echo, answer) => answer({ pid: process.pid, echo }));
});
server.listen(0, '127.0.0.1');
