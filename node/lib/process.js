// SPDX-License-Identifier: MIT
'use strict';

const { AsyncResource } = require('node:async_hooks');
const { ChildProcess } = require('node:child_process');
const EventEmitter = require('node:events');
const net = require('node:net');
const os = require('node:os');

const engine = require('./engine');
const errors = require('./errors');
const handles = require('./handles');
const serialization = require('./serialization');
const { SentSockets, ReceivedSockets } = require('./socket_list');

const { native } = engine;
const signalNames = new Map(Object.entries(os.constants.signals).map(([name, number]) => [number, name]));

// What Node gives for child.channel.
class Channel extends EventEmitter {
  constructor(id) {
    super();
    Object.defineProperty(this, 'id', { value: id });
  }
  ref() {
    native.refChannel(this.id, true);
  }
  unref() {
    native.refChannel(this.id, false);
  }
}

// Node's ChildProcess without its constructor, which makes a handle that is never freed when nothing is spawned with it.
function Child() {
  EventEmitter.call(this);
  Object.assign(this, {
    _closesNeeded: 1,
    _closesGot: 0,
    connected: false,
    signalCode: null,
    exitCode: null,
    killed: false,
    spawnfile: null,
    _handle: null,
  });
}
Object.setPrototypeOf(Child.prototype, ChildProcess.prototype);

// A worker's process: what Node's handle does is done by the engine.
class WorkerProcess extends Child {
  static name = 'ChildProcess';

  constructor(serializationName) {
    super();
    // What happens to it happens in the context that forked it.
    this._contexts = {
      process: new AsyncResource('PROCESSWRAP', { requireManualDestroy: true }),
      channel: new AsyncResource('PIPEWRAP', { requireManualDestroy: true }),
    };
    this._codec = serialization[serializationName || 'json'];
    for (const name of ['_contexts', '_codec', '_id', '_worker', '_sockets', '_sent', '_received', '_handle_', '_counts']) {
      Object.defineProperty(this, name, { value: this[name], enumerable: false, writable: true });
    }
    this._sockets = new EventEmitter().setMaxListeners(0);
    this._sent = new Map();
    this._received = new Map();
    this._handle_ = reports(this);
    this._counts = { sent: 0, received: 0 };
    this.stdin = this.stdout = this.stderr = null;
  }

  _started(id, { pid, spawnfile, spawnargs, pipes }, stdio) {
    this._id = id;
    this.spawnfile = spawnfile;
    this.spawnargs = spawnargs;
    if (pid) this.pid = pid;
    else this.pid = undefined;
    this.connected = true;
    this.channel = new Channel(id);
    // Node's has them as its own.
    this.send = WorkerProcess.prototype.send;
    this.disconnect = WorkerProcess.prototype.disconnect;
    this._handle = {
      kill: (signal) => (native.kill(id, signal) ? 0 : -os.constants.errno.ESRCH),
      ref: () => native.refProcess(id, true),
      unref: () => native.refProcess(id, false),
    };
    this._closesNeeded = 2; // its end, and its channel's
    this.stdio = stdio.map(() => null);
    for (const [number, fd] of pipes) {
      const stream = new net.Socket({ fd, readable: number > 0, writable: true });
      ++this._closesNeeded;
      stream.once('close', () => this._closed());
      this.stdio[number] = stream;
    }
    [this.stdin = null, this.stdout = null, this.stderr = null] = this.stdio;
    engine.workers.set(id, this);
  }

  _drain() {
    for (const stream of this.stdio) {
      if (stream?.readable && !stream._readableState.readableListening) stream.resume();
    }
  }

  _closed() {
    if (++this._closesGot === this._closesNeeded) this.emit('close', this.exitCode, this.signalCode);
  }

  send(message, handle, options, callback) {
    if (typeof handle === 'function') {
      callback = handle;
      handle = undefined;
      options = undefined;
    } else if (typeof options === 'function') {
      callback = options;
      options = undefined;
    } else if (options !== undefined && (options === null || typeof options !== 'object' || Array.isArray(options))) {
      throw errors.invalidOptions(options);
    }
    if (this.connected) return this._send(message, handle, { swallowErrors: false, ...options }, callback);
    this._fail(errors.channelClosed(), callback);
    return false;
  }

  _send(message, handle, options, callback) {
    if (message === undefined) throw errors.missingMessage();
    if (!['string', 'object', 'number', 'boolean'].includes(typeof message)) throw errors.invalidMessage(message);
    let fd = -1;
    let sent;
    if (handle) {
      const outgoing = handles.outgoing(handle, options, this);
      if (outgoing.fd >= 0) {
        const { type, key, dgramType } = outgoing;
        message = { cmd: 'NODE_HANDLE', type, msg: message, key, dgramType };
        ({ fd, sent } = outgoing);
      }
    }
    const number = typeof callback === 'function' ? engine.call((code, text) => callback(code && errors.coded(code, text))) : 0;
    const result = native.send(this._id, this._codec.write(message), number, fd);
    if (result === 'sent' || result === 'backed_up') {
      ++this._counts.sent;
      if (sent) sent();
      return result === 'sent';
    }
    engine.forget(number);
    if (!options.swallowErrors) {
      let error = errors.channelClosed();
      if (result === 'full') error = errors.coded('ERR_IPC_QUEUE_FULL', 'The worker does not read its messages');
      if (typeof result === 'number') error = errors.ofSystem(result, 'write');
      this._fail(error, callback);
    }
    return false;
  }

  // What the program neither sends nor hears of.
  _sendInternal(message) {
    if (this.connected) native.send(this._id, this._codec.write(message), 0, -1);
  }

  _fail(error, callback) {
    if (typeof callback === 'function') process.nextTick(callback, error);
    else process.nextTick(() => this.emit('error', error));
  }

  disconnect() {
    if (!this.connected) {
      this.emit('error', errors.disconnected());
      return;
    }
    this.connected = false;
    this.channel = null;
    native.disconnectChannel(this._id);
  }

  _sendSockets(command, key, count) {
    native.sendSockets(this._id, command, key, count);
  }

  _trackSocket(server, options) {
    const key = server._connectionKey;
    if (!this._sent.has(key)) {
      this._sent.set(key, new SentSockets(this, key));
      server._setupWorker(this._sent.get(key));
    }
    if (!options.keepOpen) --server._connections;
  }

  _dispatch(message, handle) {
    // A NODE_ message that the engine does not know is nobody's.
    if (typeof message?.cmd === 'string' && message.cmd.startsWith('NODE_') && message.cmd.length > 5) {
      this.emit('internalMessage', message, handle);
    } else {
      this.emit('message', message, handle);
    }
  }
}

Object.defineProperty(WorkerProcess.prototype, 'constructor', { value: ChildProcess });

// What the engine reports of a process.
function reports(child) {
  return {
    spawn() {
      if (child.pid) child.emit('spawn');
    },
    fork() {
      child._worker._forked();
    },
    online() {
      child._worker._online();
    },
    listening(addressType, address, port, fd) {
      child._worker._listening({ addressType, address, port, fd });
    },
    message(data, type, fd, key, dgramType) {
      let message;
      ++child._counts.received;
      child._worker._look();
      try {
        message = child._codec.read(data);
      } catch {
        if (type) native.closeDescriptor(fd);
        return this.error('ERR_IPC_MALFORMED_MESSAGE', 'The worker sent what is no message', '', 0, true);
      }
      if (!type) return child._dispatch(message);
      while (message?.cmd === 'NODE_HANDLE') message = message.msg;
      handles.incoming(type, fd, dgramType, (handle) => {
        if (type === 'net.Socket' && key) {
          if (!child._received.has(key)) child._received.set(key, new ReceivedSockets(child, key));
          child._received.get(key).add(handle);
        }
        child._dispatch(message, handle);
      }, () => this.error('ERR_INVALID_FD_TYPE', `The worker sent what is no ${type}`, '', 0, true));
    },
    sockets(command, key, count) {
      child._sockets.emit(command, key, count);
    },
    error(code, message, syscall, errno, close) {
      // Where Node's own primary would throw, Node throws here.
      if (code === 'ERR_LISTEN_NOT_PERMITTED' && !engine.mayListen()) net.createServer().listen(0);
      const error = errors.coded(code, message);
      if (syscall === 'spawn') {
        Object.assign(error, { errno, syscall: `spawn ${child.spawnfile}`, path: child.spawnfile });
        error.spawnargs = child.spawnargs.slice(1);
        child.exitCode = errno;
        child._handle = null;
        child.emit('error', error);
        process.nextTick(() => child._drain());
        child._closed();
        return;
      }
      if (syscall) error.syscall = syscall;
      // What a worker does wrong must not end this process because nobody thought of it.
      if (child.listenerCount('error') > 1 || child._worker.listenerCount('error') > 0) child.emit('error', error);
      if (close && child.connected) child.disconnect();
    },
    disconnect() {
      child._worker._look();
      child.connected = false;
      child.channel = null;
      child.emit('disconnect');
      child._closed();
    },
    exit(code, signal) {
      child._worker._look();
      if (signal === null) child.exitCode = code;
      else child.signalCode = signalNames.get(signal) ?? `SIG${signal}`;
      child.stdin?.destroy();
      child._handle = null;
      child.emit('exit', child.exitCode, child.signalCode);
      // What nobody reads has to be read to its end, for 'close'. In a tick, for who begins to read now.
      process.nextTick(() => child._drain());
      child._closed();
    },
  };
}

module.exports = { WorkerProcess };
