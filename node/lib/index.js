// SPDX-License-Identifier: MIT
'use strict';

const cluster = require('node:cluster');

if (cluster.isWorker) require('./worker');

module.exports = cluster.isWorker ? cluster : require('./primary').cluster();
