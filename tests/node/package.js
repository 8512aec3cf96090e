// SPDX-License-Identifier: MIT
// node package.js BUILD [built | unbuildable]: what `npm pack` makes is installed by npm, nothing else at hand, and serves; with `built`,
// on a machine for which it brings no addon; with `unbuildable`, there and without a compiler: it says what is missing.
'use strict';

const assert = require('node:assert');
const { execFileSync, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const [, , build, how] = process.argv;
const built = how === 'built';
const source = path.join(__dirname, '..', '..');
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'package-'));
// Of this folder alone: another pack of the same checkout may be under way.
const checkout = path.join(folder, 'checkout');
for (const part of ['node', 'src', 'include', 'LICENSE']) fs.cpSync(path.join(source, part), path.join(checkout, part), { recursive: true });
if (!how) {
  const prebuilds = path.join('node_modules', 'muster-cluster', 'prebuilds');
  fs.cpSync(path.join(build, prebuilds), path.join(checkout, 'build', 'release', prebuilds), { recursive: true });
}

const program = `
  const cluster = require('muster-cluster');
  if (cluster.isPrimary) {
    cluster.fork();
    cluster.on('listening', (worker, { port }) => fetch('http://127.0.0.1:' + port).then((got) => got.text()).then((text) => {
      console.log(text);
      cluster.disconnect();
    }));
  } else {
    require('node:http').createServer((request, response) => response.end('from worker ' + cluster.worker.id)).listen(0);
  }`;

const main = () => {
  // npm runs on the Node it came with, whichever that is.
  const env = { ...process.env, npm_config_offline: 'true' };
  const npm = (cwd, ...args) => execFileSync('npm', [...args, '--no-audit', '--no-fund'], { cwd, env, encoding: 'utf8' });
  const app = path.join(folder, 'app');
  fs.mkdirSync(app);
  fs.writeFileSync(path.join(app, 'package.json'), '{"private":true}');
  const tarball = npm(path.join(checkout, 'node'), 'pack', '--silent', '--pack-destination', folder).trim();
  assert.deepStrictEqual(fs.readdirSync(path.join(checkout, 'node')).sort(), fs.readdirSync(path.join(source, 'node')).sort(), 'nothing stays');
  if (how === 'unbuildable') {
    const { status, stdout, stderr } = spawnSync('npm', ['install', '--foreground-scripts', '--no-audit', '--no-fund', path.join(folder, tarball)],
      { cwd: app, env: { ...env, CXX: '/there/is/no/compiler' }, encoding: 'utf8' });
    assert.notStrictEqual(status, 0);
    const lines = `${stdout}${stderr}`.split('\n').filter((line) => !/^(npm|>|$)/.test(line));
    assert.match(lines[0], /^muster-cluster: there is no prebuilt addon for linux-/);
    assert.match(lines.at(-2), /^muster-cluster: the addon was not built: node-gyp ended with exit code 1$/);
    assert.match(lines.at(-1), /^muster-cluster: to build it needs g\+\+ 12 .*npm rebuild muster-cluster$/);
    return;
  }
  console.log(npm(app, 'install', '--foreground-scripts', path.join(folder, tarball)));
  assert.strictEqual(fs.existsSync(path.join(app, 'node_modules', 'muster-cluster', 'build')), built);
  fs.writeFileSync(path.join(app, 'server.js'), program);
  const output = execFileSync(process.execPath, ['server.js'], { cwd: app, env, encoding: 'utf8' });
  assert.strictEqual(output, 'from worker 1\n');
};

try {
  main();
} finally {
  fs.rmSync(folder, { recursive: true });
}
