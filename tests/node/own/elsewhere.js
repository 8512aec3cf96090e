// SPDX-License-Identifier: MIT
// A worker that is started in another folder has the module too, however this process was given it, spaces in its path or not.
const assert = require('node:assert');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const program = path.join(__dirname, 'elsewhere_program.js');
fs.writeFileSync(program, `
const cluster = require('node:cluster');
if (cluster.isPrimary) {
  cluster.setupPrimary({ cwd: '/' });
  cluster.fork().on('message', (text) => console.log(typeof cluster.reload, text)).on('exit', (code) => console.log(code));
} else {
  process.send(process.cwd(), () => process.disconnect());
}`);
const run = (flags, env) => {
  const { stdout, stderr } = spawnSync(process.execPath, [...flags, program], { cwd: __dirname, env: { ...process.env, ...env }, encoding: 'utf8' });
  assert.strictEqual(stdout, 'function /\n0\n', stderr);
};

const absolute = require.resolve('muster-cluster/register');
for (const name of ['muster-cluster/register', absolute]) {
  run(['-r', name]);
  run(['--import', name]);
  run([`--require=${name}`]);
  run([], { NODE_OPTIONS: `-r ${name}` });
  run([], { NODE_OPTIONS: `--no-warnings --require=${name} --stack-trace-limit=20` });
  run([], { NODE_OPTIONS: `--import "${name}"` });
}
