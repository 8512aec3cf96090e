// SPDX-License-Identifier: MIT
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
  const net = require('net');
  // They are one file in the command.
  const { watch } = require('../../node/lib/drain');
  const { takeQueue } = require('../../node/lib/queue');

  takeQueue();

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

  const { counts, leave } = watch(finishWhenDrained);
  let requests = 0;
  require('diagnostics_channel').channel('http.server.request.start').subscribe(() => { requests += 1; });

  const reports = new net.Socket({ fd: descriptor, readable: true, writable: true });
  reports.unref();
  reports.on('error', () => {});
  const report = (lag) => reports.write(`${JSON.stringify({ ...counts, requests, lag })}\n`);

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

  // Before cluster itself hears it, and closes the servers.
  process.prependListener('internalMessage', (message) => {
    if (leaving || !message || message.cmd !== 'NODE_CLUSTER' || message.act !== 'disconnect') return;
    leaving = true;
    leave(drainTimeout);
    finishWhenDrained();
  });
}
