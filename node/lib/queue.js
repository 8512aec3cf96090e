// SPDX-License-Identifier: MIT
'use strict';

// In a Node worker: takes its connections from a socket of their own instead of Node's channel. Each is a message of four bytes, the
// number of its listening socket, with a descriptor. What the worker has not read still belongs to the primary. A primary other than
// muster's ignores the request, and connections come by the channel.
//
// Servers and their handles are Node's own: `_getServer` makes them as before, and connections are given to them here.

const extension = 2;  // of the wire, as core/wire.h has it
const ipc = 2;  // PipeConstants.IPC: such a pipe receives handles

// Once for a process: the command preloads this file, and the program may load the module as well.
const asked = Symbol.for('muster.queue');

function takeQueue() {
  const cluster = require('cluster');
  if (process[asked] || !cluster.isWorker || !process.send) return;
  Object.defineProperty(process, asked, { value: true });
  // Before the program can replace them.
  const send = process.send.bind(process);
  const { _getServer } = cluster;
  // The class is found by way of Node's own channel. process.binding() is deprecated, and the permission model forbids it.
  const channel = Object.getOwnPropertySymbols(process).find(({ description }) => description === 'kChannelHandle');
  const Pipe = process[channel]?.constructor;
  if (typeof _getServer !== 'function' || typeof Pipe !== 'function') return;

  const servers = new Map();  // the handles that servers listen on, by the primary's numbers
  let newest = 0;  // the highest number so far
  const head = new Uint8Array(4);
  let pipe;
  let held;  // a connection whose number is not known yet: the reply with it is on its way
  let reply;  // the latest

  const watch = () => {
    if (!pipe) return;
    // Do not take what could only be given back.
    if (servers.size && !held) pipe.readStart();
    else pipe.readStop();
  };

  const say = (message, handle, done = () => {}) => send({ cmd: 'NODE_CLUSTER', ...message }, handle, undefined, done);

  const giveBack = (number, handle) => {
    say({ act: 'giveBack', queue: number }, handle, () => handle.close());
  };

  let owner;
  const isFull = (server) => {
    owner ??= Object.getOwnPropertySymbols(server).find(({ description }) => description === 'owner_symbol');
    const { maxConnections, _connections, dropMaxConnection } = server[owner] ?? {};
    return maxConnections != null && _connections >= maxConnections && !dropMaxConnection;
  };

  const deliver = (number, handle) => {
    const server = servers.get(number);
    if (server && !isFull(server)) return server.onconnection(0, handle);
    if (server || number <= newest) return giveBack(number, handle);
    held = { number, handle };
    return watch();
  };

  const read = () => {
    const { pendingHandle } = pipe;
    if (pendingHandle) {
      pipe.pendingHandle = undefined;
      deliver(head[0] | head[1] << 8 | head[2] << 16 | head[3] << 24, pendingHandle);
    } else {
      // A ping.
      pong.write('!');
    }
  };

  let pong;
  const open = (fd) => {
    const { Socket } = require('net');
    pipe = new Pipe(ipc);
    if (pipe.open(fd)) {
      pipe = undefined;
      return say({ act: 'queue', muster: 0 });
    }
    pong = new Socket({ handle: pipe, readable: false, manualStart: true }).on('error', () => {});
    pipe.useUserBuffer(head);
    pipe.onread = read;
    pipe.pendingHandle = undefined;
    pipe.unref();
    watch();
  };

  process.prependListener('internalMessage', (message) => {
    if (message?.cmd !== 'NODE_CLUSTER') return;
    if (message.ack !== undefined) reply = message;
    if (message.act === 'queue' && message.fd > 2 && !pipe) open(message.fd);
  });

  cluster._getServer = function (server, options, callback) {
    return Reflect.apply(_getServer, this, [server, options, function (errno, handle, ...rest) {
      const number = reply?.queue;
      // A shared handle has a descriptor, and accepts by itself.
      if (!errno && handle && number && handle.fd === undefined) {
        const { close } = handle;
        handle.close = function (...args) {
          if (servers.get(number) === handle) {
            servers.delete(number);
            watch();
          }
          return Reflect.apply(close, this, args);
        };
        servers.set(number, handle);
        newest = Math.max(newest, number);
      }
      const result = Reflect.apply(callback, this, [errno, handle, ...rest]);
      if (held && servers.has(held.number)) {
        const { number: heldNumber, handle: connection } = held;
        held = undefined;
        deliver(heldNumber, connection);
      }
      watch();
      return result;
    }]);
  };

  say({ act: 'queue', muster: extension });
}

module.exports = { takeQueue };
