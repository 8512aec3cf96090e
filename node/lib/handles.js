// SPDX-License-Identifier: MIT
'use strict';

// Node's objects that have a descriptor, on their way to another process and back. The engine copies what it is given, so what
// is sent can be closed at once.

const dgram = require('node:dgram');
const fs = require('node:fs');
const net = require('node:net');
const tty = require('node:tty');

const errors = require('./errors');
const native = require('./native');

// dgram.Socket keeps its handle in here; its _handle warns.
function datagramHandle(socket) {
  const state = Object.getOwnPropertySymbols(socket).find((symbol) => symbol.description === 'state symbol');
  return state && socket[state].handle;
}

function ignore() {}

// An HTTP server's socket lets go of what read its requests, and of the answer that was to be written to it.
function leaveHttp(socket) {
  const { parser } = socket;
  if (parser?.constructor?.name !== 'HTTPParser') return;
  require('node:_http_common').freeParser(parser, null, socket);
  socket._httpMessage?.detachSocket(socket);
}

// A socket that is another process's now.
function detach(socket) {
  const handle = socket._handle;
  handle.onread = ignore;
  socket._handle = null;
  socket.setTimeout(0);
  leaveHttp(socket);
  const close = () => handle.close();
  if (!socket.connecting) return close();
  // Closed now, its connect() would be reported as cancelled.
  socket.once('connect', close);
  socket.once('error', close);
}

// What of `handle` goes with a message to `target`: { type, key, dgramType, fd, sent }; `sent` to be called when it has been
// sent. Without `fd` where nothing is left of it, which Node sends without a word.
function outgoing(handle, options, target) {
  if (handle instanceof net.Socket) {
    if (handle instanceof tty.ReadStream || handle instanceof tty.WriteStream || !handle._handle) {
      return { type: 'net.Socket', fd: handle._handle?.fd };
    }
    const { fd } = handle._handle;
    const server = handle.server;
    const tracked = server && typeof server._setupWorker === 'function';
    return {
      type: 'net.Socket',
      fd,
      key: tracked ? server._connectionKey : undefined,
      sent() {
        if (tracked) target._trackSocket(server, options);
        if (!options.keepOpen) detach(handle);
      },
    };
  }
  if (handle instanceof net.Server) return { type: 'net.Server', fd: handle._handle?.fd };
  if (handle instanceof dgram.Socket) {
    return { type: 'dgram.Socket', fd: datagramHandle(handle)?.fd, dgramType: handle.type };
  }
  const name = handle?.constructor?.name;
  if (typeof handle?.fd === 'number') {
    if (name === 'TCP' || name === 'Pipe' || name === 'TTY') return { type: 'net.Native', fd: handle.fd };
    if (name === 'UDP') return { type: 'dgram.Native', fd: handle.fd };
  }
  throw errors.invalidHandle();
}

// What takes a descriptor over. Throws, or says `error` later, where it cannot.
function make(type, fd, dgramType) {
  if (type === 'net.Socket') return new net.Socket({ fd, readable: true, writable: true });
  if (type === 'net.Native') return new net.Socket({ fd, readable: true, writable: true, manualStart: true });
  if (!fs.fstatSync(fd).isSocket()) throw errors.invalidHandle();
  return type === 'net.Server' ? new net.Server().listen({ fd }) : new dgram.Socket(dgramType || 'udp4').bind({ fd });
}

// Calls `got` with Node's object for a descriptor that came, which is that object's from here on. The peer decides what comes: where
// it cannot be such an object it is closed, and `failed` is called.
function incoming(type, fd, dgramType, got, failed) {
  let holder;
  try {
    holder = make(type, fd, dgramType);
  } catch {
    native.closeDescriptor(fd);
    return failed();
  }
  if (type === 'net.Socket') return got(holder);
  if (type === 'net.Native') {
    const handle = holder._handle;
    holder._handle = null;
    return got(handle);
  }
  holder.once('error', failed);
  holder.once('listening', () => {
    holder.off('error', failed);
    got(type === 'dgram.Native' ? datagramHandle(holder) : holder);
  });
}

module.exports = { outgoing, incoming };
