// SPDX-License-Identifier: MIT
// The worker of one cell of the matrix, for Node, Bun and Deno. native_worker.cpp does the same with muster.
'use strict';
const cluster = require('node:cluster');
const dgram = require('node:dgram');
const fs = require('node:fs');
const http = require('node:http');
const net = require('node:net');

const host = '127.0.0.1';
const serve = (server) => server.listen({ port: 0, host });
const greet = (socket) => socket.end('hello from ' + cluster.worker.id);
const failed = (error) => process.send({ failed: error.code || error.message });

const actions = {
  http: () => serve(http.createServer((request, response) => response.end('hello from ' + cluster.worker.id))),
  net: () => serve(net.createServer(greet)),
  path: () => net.createServer(greet).listen({ path: process.env.MATRIX_FOLDER + '/socket' }),
  udp: () => {
    const socket = dgram.createSocket('udp4');
    socket.on('message', (bytes, from) => socket.send('hello from ' + cluster.worker.id, from.port, from.address));
    socket.bind(0, host);
  },
  message: () => process.on('message', (message) => process.send(message)),
  large: () => process.on('message', (message) => process.send(message)),
  socket_to_worker: () => process.on('message', (message, socket) => (socket ? greet(socket) : failed(new Error('no handle')))),
  socket_to_primary: () =>
    process.on('message', (port) => {
      const socket = net.connect(port, host, () => process.send('a socket', socket));
    }),
  server_to_worker: () =>
    process.on('message', (message, server) => {
      if (!server) return failed(new Error('no handle'));
      server.on('connection', (socket) => {
        greet(socket);
        server.close();
      });
      process.send('ready');
    }),
  server_to_primary: () => {
    const server = net.createServer(() => failed(new Error('the connection came here')));
    process.on('message', (message) => {
      if (message === 'close yours') return server.close(() => process.send('closed'));
      server.listen({ port: 0, host, exclusive: true }, () => process.send({ port: server.address().port }, server));
    });
  },
  udp_to_worker: () =>
    process.on('message', (message, socket) => {
      if (!socket) return failed(new Error('no handle'));
      socket.on('message', (bytes, from) =>
        socket.send('hello from ' + cluster.worker.id, from.port, from.address, () => socket.close()));
      process.send('ready');
    }),
  udp_to_primary: () => {
    const socket = dgram.createSocket('udp4');
    process.on('message', (message) => {
      if (message === 'close yours') return socket.close(() => process.send('closed'));
      socket.bind({ port: 0, address: host, exclusive: true }, () => process.send({ port: socket.address().port }, socket));
    });
  },
  port_taken: () =>
    process.on('message', (port) => {
      const server = net.createServer();
      server.on('error', failed);
      server.listen({ port, host }, () => process.send('it listens'));
    }),
  asked_to_leave: () => serve(net.createServer()),
  leaves: () => serve(net.createServer()) && process.on('message', () => cluster.worker.disconnect()),
  kills_itself: () => serve(net.createServer()) && process.on('message', () => cluster.worker.kill()),
  exits: () => serve(net.createServer()) && process.on('message', () => process.exit(3)),
  killed: () => serve(net.createServer()),
  closes_channel: () => serve(net.createServer()) && process.on('message', () => process.disconnect()),
  primary_dies: () => {
    serve(net.createServer());
    process.on('exit', (code) => fs.writeSync(1, '> worker: exit ' + code + '\n'));
  },
};

actions[process.env.MATRIX_ACTION]();
