// SPDX-License-Identifier: MIT
// node own.js FOLDER NAME: runs a program of own/, about what Node has not, beside the module. It asserts.
'use strict';

const fs = require('node:fs');
const path = require('node:path');

const { run } = require('./run');

const [, , folder, name] = process.argv;
const file = path.join(path.resolve(folder), 'own', `${name}.js`);
fs.mkdirSync(path.dirname(file), { recursive: true });
fs.copyFileSync(path.join(__dirname, 'own', `${name}.js`), file);
run(file, []).then((output) => {
  console.log(output);
  process.exitCode = output.endsWith('runner: 0\n') ? 0 : 1;
});
