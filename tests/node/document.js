// SPDX-License-Identifier: MIT
// node document.js FOLDER: docs/node.md is true: its programs run, and it names every program of programs/ and no other.
'use strict';

const assert = require('node:assert');
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');

const source = path.join(__dirname, '..', '..');
const folder = path.resolve(process.argv[2]);

async function play(number, code) {
  const probe = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => probe.once('listening', resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  const file = path.join(folder, `${number}.js`);
  fs.writeFileSync(file, code.replace('8000', port));
  const child = spawn(process.execPath, [file], { stdio: 'inherit' });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  if (!code.includes('8000')) {
    assert.strictEqual(await ended, 0, file);
    return;
  }
  let answer;
  while (answer === undefined && child.exitCode === null) {
    answer = await fetch(`http://127.0.0.1:${port}/`).then((response) => response.text()).catch(() => undefined);
  }
  child.kill();
  await ended;
  assert.strictEqual(answer, 'hello world\n', file);
}

async function main() {
  fs.mkdirSync(folder, { recursive: true });
  const document = fs.readFileSync(path.join(source, 'docs', 'node.md'), 'utf8');
  const blocks = [document, fs.readFileSync(path.join(source, 'README.md'), 'utf8')]
    .flatMap((text) => [...text.matchAll(/^```js\n([^]*?)^```$/gm)].map(([, code]) => code));
  assert.ok(blocks.length >= 2);
  for (const [number, code] of blocks.entries()) await play(number, code);

  const rows = document.split('## Row by row')[1].split('\n## ')[0].split('\n').filter((line) => line.startsWith('| '));
  const named = rows.slice(1).flatMap((row) => [...row.split('|')[2].matchAll(/`(\w+)`/g)].map(([, name]) => name)).sort();
  const there = fs.readdirSync(path.join(__dirname, 'programs')).map((name) => path.parse(name).name).sort();
  assert.deepStrictEqual(named, there);
}

main();
