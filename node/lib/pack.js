// SPDX-License-Identifier: MIT
'use strict';

// npm's prepack script: what a package needs that is not in this folder of the checkout. `npm pack` removes it again by postpack.

const fs = require('node:fs');
const path = require('node:path');

const here = path.join(__dirname, '..');
const root = path.join(here, '..');

for (const made of ['engine', 'prebuilds', 'LICENSE']) fs.rmSync(path.join(here, made), { recursive: true, force: true });
if (process.argv[2] !== 'clean') {
  for (const folder of ['include', 'src/core', 'src/value', 'src/os', 'src/kernel', 'src/uv']) {
    fs.cpSync(path.join(root, folder), path.join(here, 'engine', folder), { recursive: true });
  }
  const prebuilds = path.join(root, 'build/release/node_modules/muster-cluster/prebuilds');
  if (fs.existsSync(prebuilds)) fs.cpSync(prebuilds, path.join(here, 'prebuilds'), { recursive: true });
  fs.copyFileSync(path.join(root, 'LICENSE'), path.join(here, 'LICENSE'));
}
