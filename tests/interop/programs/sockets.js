// SPDX-License-Identifier: MIT
// Gives its connections to the primary, unread, and answers on those that the primary gives it.
const net = require('node:net');

const server = net.createServer({ pauseOnConnect: true }, (socket) => process.send({ accepted: process.pid }, socket));
server.listen(0, '127.0.0.1');

process.on('message', ({ accepted }, socket) => {
  if (!socket) return;
  socket.once('data', (question) => socket.end(JSON.stringify({ question: String(question), accepted, answered: process.pid })));
  socket.resume();
});
