// SPDX-License-Identifier: MIT
'use strict';

// npm's install script: builds the addon where the package has none that loads here. What it has to say comes before and after the
// many lines of a build that fails.

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const needs = require('./needs');

const build = () => {
  const env = { ...process.env };
  // A Node that came with its headers needs no others.
  const prefix = path.join(path.dirname(process.execPath), '..');
  if (!env.npm_config_nodedir && fs.existsSync(path.join(prefix, 'include/node/node_api.h'))) env.npm_config_nodedir = prefix;
  const gyp = env.npm_config_node_gyp ? [process.execPath, env.npm_config_node_gyp] : ['node-gyp'];
  const { status, signal, error, stdout, stderr } = spawnSync(gyp[0], [...gyp.slice(1), 'rebuild'], {
    cwd: path.join(__dirname, '..'), env, encoding: 'utf8', maxBuffer: 1 << 28,
  });
  if (status === 0) return undefined;
  const output = `${stdout ?? ''}${stderr ?? ''}`;
  if (error) return { why: `${gyp[0]} cannot be started: ${error.message}`, output };
  return { why: `node-gyp ended with ${signal ?? `exit code ${status}`}`, output };
};

try {
  require('./native');
} catch {
  console.error(`muster-cluster: there is no prebuilt addon for ${process.platform}-${process.arch}; it is built from its source`);
  const failure = build();
  if (failure) {
    process.stderr.write(failure.output);
    console.error(`muster-cluster: the addon was not built: ${failure.why}
muster-cluster: to build it needs ${needs}; then npm rebuild muster-cluster`);
    process.exitCode = 1;
  } else {
    console.error('muster-cluster: the addon is built');
  }
}
