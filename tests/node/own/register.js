// SPDX-License-Identifier: MIT
// muster-cluster/register comes first, or says so; when it does, both names are one thing, and twice is no other.
const assert = require('node:assert');
const { spawnSync } = require('node:child_process');

const run = (...args) => spawnSync(process.execPath, args, { cwd: __dirname, encoding: 'utf8' });

const after = "const muster = require('muster-cluster'); try { require('muster-cluster/register'); } catch (error) { console.log(error.message); } " +
  "console.log(require('node:cluster') === muster, typeof require('node:cluster').reload, typeof muster.reload)";
const late = run('-e', after);
assert.strictEqual(late.stdout, 'muster-cluster/register is for programs that require node:cluster; it has to be loaded before muster\nfalse undefined function\n',
  late.stderr);

const before = "require('muster-cluster/register'); require('muster-cluster/register'); console.log(require('node:cluster') === require('muster-cluster'))";
assert.strictEqual(run('-e', before).stdout, 'true\n');
assert.strictEqual(run('-r', 'muster-cluster/register', '-r', 'muster-cluster/register', '-e', before).stdout, 'true\n');

// In a thread too, each of which has its own.
const thread = "const { Worker } = require('node:worker_threads'); new Worker(`console.log(require('node:cluster') === require('muster-cluster'), " +
  "require('muster-cluster').isPrimary)`, { eval: true }); console.log(require('node:cluster') === require('muster-cluster'), require('muster-cluster').isPrimary)";
assert.strictEqual(run('-r', 'muster-cluster/register', '-e', thread).stdout, 'true true\ntrue true\n');
assert.strictEqual(run('-e', thread).stdout, 'false true\nfalse true\n');
