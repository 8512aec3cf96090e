// SPDX-License-Identifier: MIT
'use strict';

// For binding.gyp: the files that make the addon. In a package the engine's are in engine/, in a checkout they are above us.

const fs = require('node:fs');
const path = require('node:path');

const here = path.join(__dirname, '..');
const root = fs.existsSync(path.join(here, 'engine')) ? 'engine' : '..';
const withoutLibbpf = ['dispatch_group.cpp', 'libbpf.cpp'];

if (process.argv[2] === 'root') {
  console.log(root);
} else {
  for (const folder of ['src', ...['core', 'value', 'os', 'kernel', 'uv'].map((name) => `${root}/src/${name}`)]) {
    for (const name of fs.readdirSync(path.join(here, folder)).sort()) {
      if (name.endsWith('.cpp') && !withoutLibbpf.includes(name)) console.log(`${folder}/${name}`);
    }
  }
}
