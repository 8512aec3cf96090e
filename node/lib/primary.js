// SPDX-License-Identifier: MIT
'use strict';

const childProcess = require('node:child_process');
const EventEmitter = require('node:events');
const nodeCluster = require('node:cluster');
const os = require('node:os');
const { fileURLToPath } = require('node:url');

const diagnostics = require('./diagnostics');
const engine = require('./engine');
const errors = require('./errors');
const { WorkerProcess } = require('./process');
const { reload } = require('./reload');
const { supervise } = require('./supervise');

const { native } = engine;
const registered = require.resolve('./register');

const policies = {
  SCHED_NONE: 1,
  SCHED_RR: 2,
  SCHED_LEAST_CONNECTIONS: 3,
  SCHED_IP_HASH: 4,
  SCHED_KERNEL: 5,
};
const customPolicy = 6;
const policyNames = { none: 1, rr: 2, least_connections: 3, ip_hash: 4, kernel: 5 };

let cluster = null; // where the API is

const forkedAt = Symbol('forkedAt');
const forkedWith = Symbol('forkedWith');
const counts = { forked: 0, online: 0, listening: 0, disconnected: 0, exited: 0, restarted: 0 };

function Worker(options) {
  if (!(this instanceof Worker)) return new Worker(options);
  EventEmitter.call(this);
  const { state, id, process: child } = options !== null && typeof options === 'object' ? options : {};
  this.exitedAfterDisconnect = undefined;
  this.state = state || 'none';
  this.id = id | 0;
  if (!child) return;
  this.process = child;
  child.on('error', (error, signal) => this.emit('error', error, signal));
  child.on('message', (message, handle) => this.emit('message', message, handle));
}

// An instance of Node's class too.
Object.setPrototypeOf(Worker.prototype, nodeCluster.Worker.prototype);
Object.setPrototypeOf(Worker, nodeCluster.Worker);

const methods = {
  kill(signal) {
    this.destroy(signal);
  },
  destroy(signal) {
    this.process.kill(signal || 'SIGTERM');
  },
  send(...args) {
    return this.process.send(...args);
  },
  isDead() {
    return this.process.exitCode !== null || this.process.signalCode !== null;
  },
  isConnected() {
    return this.process.connected;
  },
  disconnect() {
    this.exitedAfterDisconnect = true;
    native.disconnect(this.process._id);
    remove(this);
    return this;
  },

  // The engine knows when it has said that it leaves of its own accord.
  _look() {
    this.exitedAfterDisconnect ??= native.exitedAfterDisconnect(this.process._id);
  },

  // What the engine reports.
  _forked() {
    ++counts.forked;
    cluster.emit('fork', this);
  },
  _online() {
    ++counts.online;
    this.state = 'online';
    this.emit('online');
    cluster.emit('online', this);
  },
  _listening(info) {
    ++counts.listening;
    this.state = 'listening';
    this.emit('listening', info);
    cluster.emit('listening', this, info);
  },
};
for (const [name, value] of Object.entries(methods)) {
  Object.defineProperty(Worker.prototype, name, { value, configurable: true, writable: true, enumerable: !name.startsWith('_') });
}

let policyChosen = false;

function choosePolicy() {
  if (policyChosen) return;
  policyChosen = true;
  const policy = cluster.schedulingPolicy;
  if (typeof policy === 'function') {
    engine.setChoose(policy);
    native.setPolicy(customPolicy);
    return;
  }
  if (!Object.values(policies).includes(policy)) throw new Error(`Bad cluster.schedulingPolicy: ${policy}`);
  native.setPolicy(policy);
}

let following = false;

// Node's inspector says when it is opened in a running process; its workers open theirs.
function followInspector() {
  if (following) return;
  following = true;
  process.on('internalMessage', (message) => {
    if (message?.cmd !== 'NODE_DEBUG_ENABLED') return;
    for (const worker of Object.values(cluster.workers)) {
      const open = () => process._debugProcess(worker.process.pid);
      if (worker.state === 'online' || worker.state === 'listening') open();
      else worker.once('online', open);
    }
  });
}

function setupPrimary(options) {
  const settings = {
    args: process.argv.slice(2),
    exec: process.argv[1],
    execArgv: process.execArgv,
    silent: false,
    ...cluster.settings,
    ...options,
  };
  // Each process has addresses of its own, so each writes a profile of its own.
  const profiled = settings.execArgv.some((arg) => `${arg}`.startsWith('--prof'));
  if (profiled && !settings.execArgv.some((arg) => `${arg}`.startsWith('--logfile='))) {
    settings.execArgv = [...settings.execArgv, '--logfile=v8-%p.log'];
  }
  cluster.settings = settings;
  engine.start(String(settings.exec));
  followInspector();
  choosePolicy();
  process.nextTick(() => cluster.emit('setup', settings));
}

// Below a file, so it never is one: what Node says of arguments is heard without a process.
const nowhere = '/dev/null/nowhere';

// What Node would refuse, it refuses here in its own words.
function refuse(exec, args, options) {
  childProcess.fork(exec, args, { ...options, execPath: typeof options.execPath === 'string' ? nowhere : options.execPath ?? nowhere })
    .on('error', () => {});
  throw new TypeError('These settings are not for a worker');
}

const stdioWords = new Set(['pipe', 'overlapped', 'ignore', 'inherit', 'ipc']);

// A stream that is a worker's stdio is read by the worker, and no more here.
function given(stream) {
  stream._handle.reading = false;
  stream._handle.readStop();
  stream.pause();
  stream.readableFlowing = false;
  stream._readableState.reading = false;
}

// As the engine takes it: words, and descriptors. Nothing where it is wrong.
function normalStdio({ stdio, silent }) {
  if (stdio === undefined || stdio === null || (typeof stdio !== 'string' && !Array.isArray(stdio))) {
    const word = silent ? 'pipe' : 'inherit';
    return [word, word, word, 'ipc'];
  }
  if (typeof stdio === 'string') {
    const word = stdio === 'overlapped' ? 'pipe' : stdio;
    return ['pipe', 'ignore', 'inherit'].includes(word) ? [word, word, word, 'ipc'] : undefined;
  }
  if (stdio.filter((entry) => entry === 'ipc').length !== 1) return undefined;
  const result = [];
  for (const [number, entry] of stdio.entries()) {
    if (entry === undefined || entry === null) result.push(number < 3 ? 'pipe' : 'ignore');
    else if (stdioWords.has(entry)) result.push(entry === 'overlapped' ? 'pipe' : entry);
    else if (Number.isInteger(entry) && entry >= 0) result.push(entry);
    else {
      const fd = entry.fd ?? entry._handle?.fd;
      if (!Number.isInteger(fd) || fd < 0) return undefined;
      if (entry._handle?.readStop && typeof entry.pause === 'function') given(entry);
      result.push(fd);
    }
  }
  return result;
}

const isText = (value) => typeof value === 'string' && !value.includes('\0');
const isId = (value) => value === undefined || value === null || (Number.isInteger(value) && value === (value | 0));

const asksForInspection = /--inspect(?:-brk|-port)?|--debug-port/;
const minPort = 1024;
const maxPort = 65535;
let debugPortOffset = 1;
const inspected = new WeakMap(); // by execArgv; Node looks at NODE_OPTIONS once for each

function isInspected(execArgv) {
  if (!inspected.has(execArgv)) {
    inspected.set(execArgv, [...execArgv, process.env.NODE_OPTIONS ?? ''].some((arg) => asksForInspection.test(`${arg}`)));
  }
  return inspected.get(execArgv);
}

function inspectPort({ execArgv, inspectPort: wanted }) {
  if (wanted === null) throw errors.badPort(wanted);
  if (!isInspected(execArgv)) return undefined;
  if (wanted === undefined) {
    const port = process.debugPort + debugPortOffset++;
    return port > maxPort ? port - maxPort + minPort - 1 : port;
  }
  const port = typeof wanted === 'function' ? wanted() : wanted;
  const isPort = (typeof port === 'number' || (typeof port === 'string' && port.trim() !== '')) && Number.isInteger(+port) &&
    +port >= 0 && +port <= maxPort;
  if (!isPort) throw errors.badPort(port);
  return +port;
}

// A worker that is started elsewhere does not find what this process found by name.
const byName = /^(--(?:require|import)=)?muster-cluster\/register$/;
const inOptions = /((?:^NODE_OPTIONS=|\s)(?:-r|--require|--import)[\s=]+)(["']?)muster-cluster\/register\2(?=\s|$)/g;

function reachableArgument(arg) {
  return typeof arg === 'string' ? arg.replace(byName, (name, flag = '') => flag + registered) : arg;
}

function reachableVariable(variable) {
  if (!variable.startsWith('NODE_OPTIONS=')) return variable;
  return variable.replace(inOptions, (match, flag) => `${flag}${JSON.stringify(registered)}`);
}

function pathText(value) {
  if (value instanceof URL) return fileURLToPath(value);
  return value instanceof Uint8Array ? Buffer.from(value).toString() : value;
}

// NAME=value each, as Node's child_process makes them of an object.
function variablesOf(env) {
  const variables = [];
  for (const name in env) {
    if (env[name] !== undefined) variables.push(`${name}=${env[name]}`);
  }
  return variables;
}

// What Node's child_process.fork() gets for a worker.
function optionsOf(id, env) {
  const { args, cwd, serialization, silent, execArgv, stdio, uid, gid } = cluster.settings;
  // Arguments that are an object are fork()'s options there.
  if (args !== null && typeof args === 'object' && !Array.isArray(args)) return { execArgv: process.execArgv, env: process.env, ...args };
  return { cwd, env: { ...process.env, ...env, NODE_UNIQUE_ID: `${id}` }, serialization, silent, execArgv: [...execArgv], stdio, uid, gid };
}

// Node's permission model guards Node's own functions: where one of them would throw, it throws here.
function askPermission() {
  if (!process.permission || process.permission.has('child')) return;
  childProcess.spawn(nowhere, { stdio: 'ignore' }).on('error', () => {});
}

// Those that Node reports by an event.
const reportedErrors = ['EACCES', 'EAGAIN', 'EMFILE', 'ENFILE', 'ENOENT'].map((name) => os.constants.errno[name]);

// Where workers of another user may have this process listen: each a port, a path, or { port, host }, { path } or { fd }.
function placesOf(mayListen = []) {
  if (!Array.isArray(mayListen)) mayListen = [mayListen];
  return mayListen.map((place, index) => {
    const { port, path, fd, host = '' } = typeof place === 'number' ? { port: place } : typeof place === 'string' ? { path: place } : place ?? {};
    const isNumber = (value, most) => value === undefined || (Number.isInteger(value) && value >= 0 && value <= most);
    const named = [port, path, fd].filter((value) => value !== undefined).length;
    if (named !== 1 || !isNumber(port, 65535) || !isNumber(fd, 2 ** 31 - 1) || typeof (path ?? '') !== 'string' || typeof host !== 'string') {
      throw errors.invalidPlaces(`settings.mayListen[${index}]`, place);
    }
    return { port, path: path ?? '', fd, host };
  });
}

function startProcess(id, env) {
  const { settings } = cluster;
  const port = inspectPort(settings);
  const options = optionsOf(id, env);
  const args = Array.isArray(settings.args) ? settings.args : [];
  const stdio = normalStdio(options);
  const exec = pathText(settings.exec);
  // Node takes one that is a Buffer, and leaves it.
  const cwd = options.cwd instanceof Uint8Array ? undefined : pathText(options.cwd);
  const { execArgv, uid, gid, serialization } = options;
  const variables = variablesOf(options.env);
  const right = isText(exec) && (typeof settings.args !== 'string') && (cwd === undefined || cwd === null || isText(cwd)) && isId(uid) && isId(gid) && stdio &&
    [undefined, 'json', 'advanced'].includes(serialization) && [...args, ...execArgv].every((arg) => isText(`${arg}`)) && variables.every(isText);
  if (!right) refuse(settings.exec, settings.args, options);
  askPermission();
  const child = new WorkerProcess(serialization);
  const environment = variables.map(reachableVariable);
  const file = options.execPath ?? process.execPath;
  const trace = diagnostics.begin(child, { ...options, file, args: [file, ...execArgv, exec, ...args], envPairs: environment });
  const started = native.fork(id, {
    exec,
    args: args.map(String),
    execPath: file,
    execArgv: execArgv.map((arg) => String(reachableArgument(arg))),
    cwd,
    serialization,
    uid,
    gid,
    mayListen: placesOf(settings.mayListen),
    noNewPrivileges: Boolean(settings.noNewPrivileges),
    inspectPort: port,
    stdio,
  }, environment);
  trace.end(started.error);
  if (started.error && !reportedErrors.includes(started.error)) throw errors.ofSystem(started.error, 'spawn');
  child._started(id, started, stdio);
  return child;
}

function fork(env) {
  cluster.setupPrimary();
  const child = startProcess(native.takeId(), env);
  const worker = new cluster.Worker({ id: child._id, process: child });
  child._worker = worker;
  worker.on('message', function(message, handle) {
    cluster.emit('message', this, message, handle);
  });
  child.once('exit', (code, signal) => {
    if (!worker.isConnected()) forget(worker);
    worker.exitedAfterDisconnect = !!worker.exitedAfterDisconnect;
    ++counts.exited;
    worker.state = 'dead';
    worker.emit('exit', code, signal);
    cluster.emit('exit', worker, code, signal);
  });
  child.once('disconnect', () => {
    if (worker.isDead()) forget(worker);
    worker.exitedAfterDisconnect = !!worker.exitedAfterDisconnect;
    ++counts.disconnected;
    worker.state = 'disconnected';
    worker.emit('disconnect');
    cluster.emit('disconnect', worker);
  });
  Object.defineProperties(worker, { [forkedAt]: { value: performance.now() }, [forkedWith]: { value: env } });
  cluster.workers[worker.id] = worker;
  return worker;
}

// Emits 'disconnect' each time that there is no worker in the list, and something was to be taken off it.
const list = new EventEmitter();

function remove(worker) {
  delete cluster.workers[worker.id];
  if (Object.keys(cluster.workers).length === 0) list.emit('disconnect');
}

function forget(worker) {
  engine.workers.delete(worker.process._id);
  remove(worker);
}

function disconnect(callback) {
  const workers = Object.values(cluster.workers);
  if (workers.length === 0) process.nextTick(() => list.emit('disconnect'));
  for (const worker of workers) {
    if (worker.isConnected()) worker.disconnect();
  }
  // Node's moment: not when the list is empty, which it is by now, but when it is so again because a worker is gone.
  if (typeof callback === 'function') list.once('disconnect', callback);
}

function metrics() {
  const workers = Object.values(cluster.workers).map((worker) => ({
    id: worker.id,
    pid: worker.process.pid,
    state: worker.state,
    connected: worker.isConnected(),
    uptime: Math.round(performance.now() - worker[forkedAt]),
    sent: worker.process._counts.sent,
    received: worker.process._counts.received,
  }));
  return { ...counts, workers };
}

function refork(worker) {
  ++counts.restarted;
  return cluster.fork(worker[forkedWith]);
}

function install(target) {
  cluster = target;
  Object.assign(cluster, {
    isWorker: false,
    isMaster: true,
    isPrimary: true,
    Worker,
    workers: {},
    settings: {},
    ...policies,
    schedulingPolicy: policyNames[process.env.NODE_CLUSTER_SCHED_POLICY] ?? policies.SCHED_RR,
    setupPrimary,
    setupMaster: setupPrimary,
    fork,
    disconnect,
    metrics,
    reload: (options) => reload(cluster, refork, options),
    supervise: (options) => supervise(cluster, options),
  });
  return cluster;
}

module.exports = {
  cluster: () => cluster ?? install(new EventEmitter()),
  // In the place of node:cluster.
  replace(target) {
    if (cluster && cluster !== target) {
      throw new Error('muster-cluster/register is for programs that require node:cluster; it has to be loaded before muster');
    }
    install(target);
  },
};
