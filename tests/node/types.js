// SPDX-License-Identifier: MIT
// node types.js BUILD: the programs in types/ are what TypeScript takes, and what they expect it to refuse it refuses.
'use strict';

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const build = path.resolve(process.argv[2]);
const packages = path.join(__dirname, '..', '..', 'build', 'programs', 'node_modules');
const folder = path.join(build, 'node_tests', 'types'); // beside the module
fs.cpSync(path.join(__dirname, 'types'), folder, { recursive: true });
const { status, stdout, error } = spawnSync(process.execPath, [
  path.join(packages, 'typescript', 'bin', 'tsc'), '--noEmit', '--strict', '--module', 'nodenext',
  '--typeRoots', path.join(packages, '@types'), '--types', 'node',
  ...fs.readdirSync(folder).map((name) => path.join(folder, name)),
], { encoding: 'utf8' });
console.log(error ?? stdout);
process.exitCode = status ?? 1;
