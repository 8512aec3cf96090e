// SPDX-License-Identifier: MIT
'use strict';

// node -r muster-cluster/register, node --import muster-cluster/register: for programs that know node:cluster only.
const cluster = require('node:cluster');

if (cluster.isWorker) {
  require('./worker');
} else {
  require('./primary').replace(cluster);
  require('node:module').syncBuiltinESMExports();
}
