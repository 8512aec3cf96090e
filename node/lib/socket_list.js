// SPDX-License-Identifier: MIT
'use strict';

const EventEmitter = require('node:events');

const errors = require('./errors');

// The connections of one server that were sent to a process: what net.Server asks when it counts its connections, or closes.
class SentSockets extends EventEmitter {
  constructor(target, key) {
    super();
    this.target = target;
    this.key = key;
    target.once('exit', () => this.emit('exit', this));
  }

  close(callback) {
    this._ask('NODE_SOCKET_NOTIFY_CLOSE', 'NODE_SOCKET_ALL_CLOSED', callback);
  }

  getConnections(callback) {
    this._ask('NODE_SOCKET_GET_COUNT', 'NODE_SOCKET_COUNT', callback);
  }

  _ask(command, answer, callback) {
    const { target, key } = this;
    const done = (error, count) => {
      target.off('disconnect', lost);
      target._sockets.off(answer, answered);
      callback(error, count);
    };
    const lost = () => done(errors.childClosed());
    const answered = (answeredKey, count) => {
      if (answeredKey === key) done(null, count);
    };
    if (!target.connected) return callback(errors.childClosed());
    target.once('disconnect', lost);
    target._sockets.on(answer, answered);
    target._sendSockets(command, key, 0);
  }
}

// The connections of a server of that process that came to this one.
class ReceivedSockets {
  constructor(target, key) {
    this.target = target;
    this.key = key;
    this.count = 0;
    this.wanted = false;
    target._sockets.on('NODE_SOCKET_GET_COUNT', (asked) => {
      if (asked === key) this._say('NODE_SOCKET_COUNT', this.count);
    });
    target._sockets.on('NODE_SOCKET_NOTIFY_CLOSE', (asked) => {
      if (asked !== key) return;
      this.wanted = true;
      this._check();
    });
  }

  add(socket) {
    ++this.count;
    socket.once('close', () => {
      --this.count;
      this._check();
    });
  }

  _check() {
    if (this.count > 0 || !this.wanted) return;
    this.wanted = false;
    this._say('NODE_SOCKET_ALL_CLOSED', 0);
  }

  _say(command, count) {
    if (this.target.connected) this.target._sendSockets(command, this.key, count);
  }
}

module.exports = { SentSockets, ReceivedSockets };
