// SPDX-License-Identifier: MIT
'use strict';

// How the connections of a Node worker come past Node's channel: by a socket of their own, on which each is a message of four bytes
// that say which listening socket it is for, with its descriptor. What is not read there is the primary's still. A primary that is
// not muster's ignores the question, and everything is as it was.
//
// The servers are Node's, and so is what they listen on: `_getServer` makes that as ever. Only what would come for it as a message
// comes here.

const extension = 2;  // of the wire, as core/wire.h has it
const ipc = 2;  // PipeConstants.IPC: what reads descriptors

// Once, whoever asks: the command preloads this, and a program may load the module.
const asked = Symbol.for('muster.queue');

function takeQueue() {
  const cluster = require('cluster');
  if (process[asked] || !cluster.isWorker || !process.send) return;
  Object.defineProperty(process, asked, { value: true });
  // As they are before the program changes them.
  const send = process.send.bind(process);
  const { _getServer } = cluster;
  // What Node reads its own channel with: no other way to the class is open to every program (process.binding() is not).
  const channel = Object.getOwnPropertySymbols(process).find(({ description }) => description === 'kChannelHandle');
  const Pipe = process[channel]?.constructor;
  if (typeof _getServer !== 'function' || typeof Pipe !== 'function') return;

  const servers = new Map();  // by the numbers that the primary gave them: what a net.Server listens on
  let newest = 0;  // of those numbers
  const head = new Uint8Array(4);
  let pipe;
  let held;  // a connection for a number that nobody knows yet: the answer that tells it is on its way
  let reply;

  const watch = () => {
    if (!pipe) return;
    // Nothing is taken that could only be given back.
    if (servers.size && !held) pipe.readStart();
    else pipe.readStop();
  };

  const giveBack = (number, handle) => {
    send({ cmd: 'NODE_CLUSTER', act: 'giveBack', queue: number }, handle, undefined, () => handle.close());
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
      // The primary asks whether anybody reads.
      answers.write('!');
    }
  };

  let answers;
  const open = (fd) => {
    const { Socket } = require('net');
    pipe = new Pipe(ipc);
    if (pipe.open(fd)) {
      pipe = undefined;
      return;
    }
    answers = new Socket({ handle: pipe, readable: false, manualStart: true });
    answers.on('error', () => {});
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
      // One that is shared has a descriptor, and accepts for itself.
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

  send({ cmd: 'NODE_CLUSTER', act: 'queue', muster: extension }, undefined, undefined, () => {});
}

module.exports = { takeQueue };
