'use strict';
// Preloaded by muster into the Node workers it runs; the program does not see it. It tells the primary once a second how the
// worker is, which is also how the primary knows that its loop turns, and it makes a worker that leaves lose no request: an HTTP
// connection that was promised to stay open is closed after an answer that says so, never under the next request.

const descriptor = Number(process.env.MUSTER_REPORT_FD);
const drainTimeout = Number(process.env.MUSTER_DRAIN_TIMEOUT) || 30000;
const reportEvery = Number(process.env.MUSTER_REPORT_EVERY) || 1000;
// What this process starts is no worker.
delete process.env.MUSTER_REPORT_FD;
delete process.env.MUSTER_DRAIN_TIMEOUT;
delete process.env.MUSTER_REPORT_EVERY;

if (descriptor > 2 && require('worker_threads').isMainThread) {
  const diagnostics = require('diagnostics_channel');
  const net = require('net');
  const http = require('http');
  const https = require('https');

  const counts = { connections: 0, accepted: 0, requests: 0 };
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
    socket.once('close', () => {
      counts.connections -= 1;
      finishWhenDrained();
    });
  });
  diagnostics.channel('http.server.request.start').subscribe(() => { counts.requests += 1; });

  const reports = new net.Socket({ fd: descriptor, readable: true, writable: true });
  reports.unref();
  reports.on('error', () => {});
  const report = (lag) => reports.write(`${JSON.stringify({ ...counts, lag })}\n`);

  // A server that is exclusive, or has a port of its own by reusePort, says nothing to its primary: cluster leaves it alone.
  const ownServers = new Set();
  const findOwnServers = (wait) => {
    const found = process._getActiveHandles().filter((handle) =>
      handle instanceof net.Server && handle.listening && !ownServers.has(handle));
    found.forEach((server) => ownServers.add(server));
    const listening = found.map((server) => server.address()).filter((address) => address && address.port);
    if (listening.length) reports.write(`${JSON.stringify({ listening })}\n`);
    // It serves: whoever waits for that knows it.
    if (ownServers.size || counts.accepted) return;
    setTimeout(findOwnServers, wait, Math.min(2 * wait, 1000)).unref();
  };
  setTimeout(findOwnServers, 20, 20).unref();

  const every = reportEvery / 2;
  let due = performance.now() + every;
  let worst = 0;
  let odd = false;
  setInterval(() => {
    const now = performance.now();
    worst = Math.max(worst, now - due);
    due = now + every;
    odd = !odd;
    if (odd) return;
    report(Math.round(worst * 10) / 10);
    worst = 0;
  }, every).unref();
  report(0);

  let leaving = false;
  let finishing = null;

  // A worker whose connections have ended may be kept by a pool of its own to a database, or a timer. It gets a moment, and then
  // the signal that every program knows.
  const finishWhenDrained = () => {
    if (!leaving || counts.connections > 0 || finishing) return;
    finishing = setTimeout(() => {
      finishing = null;
      if (counts.connections === 0) process.kill(process.pid, 'SIGTERM');
    }, 1000);
    finishing.unref();
  };

  const leave = () => {
    if (leaving) return;
    leaving = true;
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
      setTimeout(() => servers.forEach((server) => closeIdleConnections.call(server)), drainTimeout / 2).unref();
    }
    finishWhenDrained();
  };
  // Before cluster itself hears it, and closes the servers.
  process.prependListener('internalMessage', (message) => {
    if (message && message.cmd === 'NODE_CLUSTER' && message.act === 'disconnect') leave();
  });
}
