// SPDX-License-Identifier: MIT
'use strict';

// How a Node worker leaves without losing a request: an HTTP connection that was promised to stay open is closed after an answer that
// says so, never under the next request; HTTP/2 sessions are told to go away. The command carries this file with the one that it
// preloads, the module has it in its workers.

// Watches the servers of this process from now on. `closed`, if given, runs whenever a connection has closed; without it nothing is
// added to sockets, and counts.connections only grows.
function watch(closed) {
  const diagnostics = require('diagnostics_channel');
  const counts = { connections: 0, accepted: 0 };
  const servers = new Set();  // of HTTP/1
  const sessions = new Set();  // of HTTP/2
  const watched = new WeakSet();
  const addSession = (session) => {
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
  };
  const watchSessions = (server, socket) => {
    if (watched.has(server)) return;
    watched.add(server);
    server.prependListener('session', addSession);
    // That of the first connection, where it is not encrypted, began before this was heard; its streams did not.
    const addSessionOf = ({ session }) => session && !sessions.has(session) && addSession(session);
    server.prependListener('stream', addSessionOf);
    socket.once('close', () => server.removeListener('stream', addSessionOf));
  };

  diagnostics.channel('net.server.socket').subscribe(({ socket }) => {
    counts.connections += 1;
    counts.accepted += 1;
    if (socket.server.closeIdleConnections) servers.add(socket.server);
    if (socket.server.constructor.name.startsWith('Http2')) watchSessions(socket.server, socket);
    if (!closed) return;
    socket.once('close', () => {
      counts.connections -= 1;
      closed();
    });
  });

  // Before the servers are closed. Idle connections have this many milliseconds.
  const leave = (timeout) => {
    const http = require('http');
    // Where every form of setting headers ends. What the program promised by a header of its own, which proxies copy from
    // whoever they ask, is taken back.
    const { _storeHeader } = http.ServerResponse.prototype;
    http.ServerResponse.prototype._storeHeader = function (...head) {
      this.shouldKeepAlive = false;
      const result = _storeHeader.apply(this, head);
      if (!this._last && this.statusCode !== 101) {
        this._last = true;
        this._header = this._header.replace(/\r\n(?:connection|keep-alive):[^\r\n]*/gi, '').replace('\r\n', '\r\nConnection: close\r\n');
      }
      return result;
    };
    // They finish the streams they have, and their clients open the next ones elsewhere.
    sessions.forEach((session) => session.close());
    // Idle connections end with their server's keepAliveTimeout, as they always do; where that is very long, at half time. A
    // server of Node 19 or later would end them when it closes, which is now: under a request that is on its way.
    const { closeIdleConnections } = http.Server.prototype;
    if (closeIdleConnections) {
      servers.forEach((server) => { server.closeIdleConnections = () => {}; });
      setTimeout(() => servers.forEach((server) => closeIdleConnections.call(server)), timeout / 2).unref();
    }
  };
  return { counts, leave };
}

module.exports = { watch };
