// SPDX-License-Identifier: MIT
'use strict';

// In a worker: a primary that reloads tells it that it is to leave without losing a request, before it tells it to leave. That is a
// message of the kind that Node's own programs never hear of.

const { watch } = require('./drain');

let leave = watch().leave;

process.on('internalMessage', (message) => {
  if (message?.cmd !== 'NODE_MUSTER_DRAIN' || !leave) return;
  leave(Number(message.timeout) || 0);
  leave = null;
});
