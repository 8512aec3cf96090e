// SPDX-License-Identifier: MIT
'use strict';

// Errors as Node makes its own: a code, and the code in the stack.

const { getSystemErrorName, inspect } = require('node:util');

function make(Base, code, message) {
  const error = new Base(message);
  const { name } = error;
  error.name = `${name} [${code}]`;
  void error.stack; // written now, with that name
  delete error.name;
  error.code = code;
  return error;
}

function received(value) {
  if (value === undefined || value === null) return ` Received ${value}`;
  if (typeof value === 'function') return ` Received function ${value.name}`;
  if (typeof value === 'object') {
    if (value.constructor?.name) return ` Received an instance of ${value.constructor.name}`;
    return ` Received ${inspect(value, { depth: -1 })}`;
  }
  let text = inspect(value, { colors: false });
  if (text.length > 28) text = `${text.slice(0, 25)}...`;
  return ` Received type ${typeof value} (${text})`;
}

module.exports = {
  channelClosed: () => make(Error, 'ERR_IPC_CHANNEL_CLOSED', 'Channel closed'),
  disconnected: () => make(Error, 'ERR_IPC_DISCONNECTED', 'IPC channel is already disconnected'),
  missingMessage: () => make(TypeError, 'ERR_MISSING_ARGS', 'The "message" argument must be specified'),
  invalidMessage: (value) =>
    make(TypeError, 'ERR_INVALID_ARG_TYPE',
      `The "message" argument must be one of type string, object, number, or boolean.${received(value)}`),
  invalidOptions: (value) =>
    make(TypeError, 'ERR_INVALID_ARG_TYPE', `The "options" argument must be of type object.${received(value)}`),
  invalidHandle: () => make(TypeError, 'ERR_INVALID_HANDLE_TYPE', 'This handle type cannot be sent'),
  childClosed: () => make(Error, 'ERR_CHILD_CLOSED_BEFORE_REPLY', 'Child closed before reply received'),
  ofSystem(errno, syscall) {
    const code = getSystemErrorName(-errno);
    return Object.assign(new Error(`${syscall} ${code}`), { errno: -errno, code, syscall });
  },
  coded: (code, message) => make(Error, code, message),
  invalidPlaces: (name, value) =>
    make(TypeError, 'ERR_INVALID_ARG_VALUE',
      `The property '${name}' must be a port, a path, { port, host }, { path } or { fd }.${received(value)}`),
  outOfRange: (name, least, value) =>
    make(RangeError, 'ERR_OUT_OF_RANGE', `The value of "${name}" is out of range. It must be an integer >= ${least}.${received(value)}`),
  invalidChoice: (name, choices, value) =>
    make(TypeError, 'ERR_INVALID_ARG_VALUE', `The option '${name}' must be one of ${choices.join(', ')}.${received(value)}`),
  unknownOption: (name, known) => make(TypeError, 'ERR_INVALID_ARG_VALUE', `There is no option '${name}'; there are ${known.join(', ')}`),
  badPort: (value) =>
    make(RangeError, 'ERR_SOCKET_BAD_PORT', `Port should be >= 0 and < 65536.${received(value)}.`),
};
