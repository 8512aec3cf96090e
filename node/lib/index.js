// SPDX-License-Identifier: MIT
'use strict';

// In a worker it is Node's own, which speaks to every primary that speaks as Node does.
const cluster = require('node:cluster');

if (cluster.isWorker) require('./leave');

module.exports = cluster.isWorker ? cluster : require('./primary').cluster();
