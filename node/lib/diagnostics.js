// SPDX-License-Identifier: MIT
'use strict';

// What Node tells its diagnostics channels when a process is started.

const channels = require('node:diagnostics_channel');

const errors = require('./errors');

const processes = channels.channel('child_process');
const [major] = process.versions.node.split('.').map(Number);
const spawns = major >= 26 ? channels.tracingChannel('child_process.spawn') : undefined;

// Before `child` is started; end(errno) afterwards.
function begin(child, options) {
  if (processes.hasSubscribers) processes.publish({ process: child });
  if (!spawns?.hasSubscribers) return { end() {} };
  spawns.start.publish({ process: child, options });
  return {
    end(errno) {
      if (errno) spawns.error.publish({ process: child, error: errors.ofSystem(errno, 'spawn') });
      else spawns.end.publish({ process: child });
    },
  };
}

module.exports = { begin };
