// SPDX-License-Identifier: MIT
'use strict';

// The addon: what npm built here, or what came with the package for this machine.

const path = require('node:path');
const needs = require('./needs');

const name = `${process.platform}-${process.arch}`;
const root = path.join(__dirname, '..');
const candidates = [
  path.join(root, 'build', 'Release', 'muster.node'),
  path.join(root, 'prebuilds', name, 'muster.node'),
];

function load() {
  const failures = [];
  for (const file of candidates) {
    try {
      return require(file);
    } catch (error) {
      failures.push(`  ${file}: ${error.code === 'MODULE_NOT_FOUND' ? 'not there' : error.message.split('\n')[0]}`);
    }
  }
  const error = new Error(
    `muster's addon for ${name} is missing or does not load:\n${failures.join('\n')}\n` +
      `Build it with \`npm rebuild muster-cluster\`, which needs ${needs}; or, in a checkout of muster, ` +
      'with `./dev build`. muster runs on Linux, with Node 20 and later.');
  error.code = 'ERR_MUSTER_ADDON';
  throw error;
}

module.exports = load();
