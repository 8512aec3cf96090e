// SPDX-License-Identifier: MIT
'use strict';

// The engine, and who hears from it. What happens reaches `workers`, by number, or `calls`.

const { AsyncResource } = require('node:async_hooks');

const native = require('./native');

const workers = new Map(); // number -> WorkerProcess
const calls = new Map(); // number -> function, called once
let lastCall = 0;
let chooseWorker = null;

// `who` is a worker's number, or the worker.
function emit(type, who, ...args) {
  if (type === 'sent') {
    const [number, ...rest] = args;
    const call = calls.get(number);
    calls.delete(number);
    if (call) call(...rest);
    return;
  }
  if (type === 'noKernel') {
    process.emitWarning(`The kernel policy is not available: ${args[0]}; round robin takes its place`);
    return;
  }
  const worker = typeof who === 'object' ? who : workers.get(who);
  worker?._contexts[type === 'exit' ? 'process' : 'channel'].runInAsyncScope(worker._handle_[type], worker._handle_, ...args);
}

function enqueue(type, id, ...args) {
  // Two ticks in Node too.
  if (type === 'fork') process.nextTick(emit, 'spawn', id);
  // A tick that throws leaves those behind it for later, when the worker may be gone. A worker that is being forked is not here yet.
  process.nextTick(emit, type, workers.get(id) ?? id, ...args);
}

function choose(local, remote, ids) {
  const candidates = ids.map((id) => workers.get(id)?._worker).filter(Boolean);
  return chooseWorker({ local, remote }, candidates)?.id;
}

// Node names what keeps it alive; the engine's handles are not among what it knows.
function nameResources() {
  const { getActiveResourcesInfo } = process;
  process.getActiveResourcesInfo = function() {
    const names = getActiveResourcesInfo.call(process);
    for (const worker of workers.values()) {
      if (worker._handle) names.push('ProcessWrap');
      if (worker.channel) names.push('PipeWrap');
    }
    for (let i = native.listeners(); i > 0; --i) names.push('TCPServerWrap');
    return names;
  };
}

// Of Node's permission model, which guards the ports of a process from 26 on.
function mayListen() {
  return !process.permission || !process.allowedNodeEnvironmentFlags.has('--allow-net') || process.permission.has('net');
}

let started = false;
function start(exec) {
  if (started) return;
  started = true;
  native.start(exec, mayListen(), emit, enqueue, choose);
  nameResources();
}

function call(callback) {
  calls.set(++lastCall, AsyncResource.bind(callback));
  return lastCall;
}

module.exports = {
  mayListen,
  native,
  workers,
  start,
  call,
  forget: (number) => calls.delete(number),
  setChoose(callback) {
    chooseWorker = callback;
  },
};
