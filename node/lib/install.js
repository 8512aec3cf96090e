'use strict';

// npm's install script: builds the addon where the package has none that loads here.

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

try {
  require('./native');
} catch {
  const env = { ...process.env };
  // A Node that came with its headers needs no others.
  const prefix = path.join(path.dirname(process.execPath), '..');
  if (!env.npm_config_nodedir && fs.existsSync(path.join(prefix, 'include/node/node_api.h'))) env.npm_config_nodedir = prefix;
  const gyp = env.npm_config_node_gyp ? [process.execPath, env.npm_config_node_gyp] : ['node-gyp'];
  const { status, error } = spawnSync(gyp[0], [...gyp.slice(1), 'rebuild'], { cwd: path.join(__dirname, '..'), env, stdio: 'inherit' });
  if (error) console.error(`muster: ${error.message}`);
  process.exitCode = status ?? 1;
}
