// SPDX-License-Identifier: MIT
// node missing.js FOLDER: without the addon, muster says how to get it.
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');

const package_ = path.join(path.resolve(process.argv[2]), 'node_modules', 'muster-cluster');
fs.rmSync(package_, { recursive: true, force: true });
fs.cpSync(path.join(__dirname, '..', '..', 'node', 'lib'), path.join(package_, 'lib'), { recursive: true });
const file = path.join(package_, 'lib', 'index.js');
assert.throws(() => require(file), (error) => {
  assert.strictEqual(error.code, 'ERR_MUSTER_ADDON');
  assert.match(error.message, /npm rebuild muster-cluster/);
  assert.match(error.message, new RegExp(`${process.platform}-${process.arch}`));
  assert.match(error.message, /not there/);
  return true;
});

// Nor is what does not load passed over.
const addon = path.join(package_, 'prebuilds', `${process.platform}-${process.arch}`, 'muster.node');
fs.mkdirSync(path.dirname(addon), { recursive: true });
fs.writeFileSync(addon, 'no addon');
assert.throws(() => require(file), /muster\.node: .*(invalid|too short)/);
