const http = require('node:http');
const { Server } = require('socket.io');

const server = http.createServer();
// Without sessions that stick to a worker, of its transports only websocket.
const io = new Server(server, { transports: ['websocket'] });
io.on('connection', (socket) => {
  socket.on('ask', (echo, answer) => answer({ pid: process.pid, echo }));
});
server.listen(0, '127.0.0.1');
