// SPDX-License-Identifier: MIT
// node run.js FOLDER NAME [WAY...]: runs a program in the ways that a Node program can meet muster, or those named, in FOLDER,
// beside a node_modules that has it; each must print what it prints with Node's own cluster. The order of lines counts among those
// that begin with the same word; where Node's own is by chance, any that it has been seen to print will do. Exits with 1 when a
// way prints what Node does not, and when Node's ends with another code than 0 and the program's comment, `Ends with N.`, does
// not say so.
'use strict';

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const limitMs = 150_000;
const oracleRuns = 8;

// The program as an ES module.
function asModule(text) {
  const head = "import { createRequire } from 'node:module';\nconst require = createRequire(import.meta.url);\n";
  const imports = text.replace(/^const (\w+) = require\('([^']+)'\);$/gm, "import $1 from '$2';").replace("'use strict';", '');
  return /require\(/.test(imports) ? head + imports : imports;
}

const withMuster = (text) => text.replace("'node:cluster'", "'muster-cluster'");

const ways = {
  'node:cluster': { name: 'oracle.js', change: (text) => text, flags: [] },
  'require': { name: 'required.js', change: withMuster, flags: [] },
  'import': { name: 'imported.mjs', change: (text) => asModule(withMuster(text)), flags: [] },
  '-r muster-cluster/register': { name: 'registered.js', change: (text) => text, flags: ['-r', 'muster-cluster/register'] },
  '--import muster-cluster/register': { name: 'registered.mjs', change: asModule, flags: ['--import', 'muster-cluster/register'] },
};

function run(file, flags, env) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [...flags, file], { cwd: path.dirname(file), env: { ...process.env, ...env }, detached: true });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text) => output += text);
    child.stderr.setEncoding('utf8').on('data', (text) => output += text);
    const limit = setTimeout(() => {
      output += 'runner: does not end\n';
      process.kill(-child.pid, 'SIGKILL');
    }, limitMs);
    child.on('close', (code, signal) => {
      clearTimeout(limit);
      resolve(`${output}runner: ${signal ?? code}\n`);
    });
  });
}

// What is another's in each run, and in each way: file names, and what Node says of an uncaught exception.
function normal(output) {
  const groups = new Map();
  let skipping = false;
  for (const line of output.split('\n')) {
    if (/^(file:\/\/)?\/.*:\d+$/.test(line)) skipping = true;
    if (/^(Node\.js v|runner:)/.test(line)) skipping = false;
    if (/^(Debugger listening on|Debugger ending on|For help, see)/.test(line)) continue;
    if (skipping || line === '' || line.startsWith('Node.js v')) continue;
    const text = line.replace(/\(node:\d+\)/, '(node)').replace(/(oracle|required|registered)\.js|(imported|registered)\.mjs/g, 'program');
    const word = text.split(' ')[0];
    groups.set(word, [...(groups.get(word) ?? []), text]);
  }
  return [...groups.keys()].sort().flatMap((word) => groups.get(word));
}

function difference(expected, got) {
  const only = (a, b) => a.filter((line) => !b.includes(line));
  const missing = only(expected, got).map((line) => `    only with node:cluster: ${line}`);
  const more = only(got, expected).map((line) => `    only with muster:       ${line}`);
  return [...missing, ...more].join('\n') || `    in another order:\n      ${got.join('\n      ')}`;
}

async function check(title, folder, text, chosen) {
  fs.mkdirSync(folder, { recursive: true });
  const play = (way) => {
    const { name, change, flags } = ways[way];
    const file = path.join(folder, name);
    fs.writeFileSync(file, change(text));
    return run(file, flags);
  };
  let [oracle, ...played] = await Promise.all(['node:cluster', ...chosen].map(play));
  const end = text.match(/^\/\/.*\bEnds with (\w+)\./m)?.[1] ?? '0';
  const seen = new Set();
  const see = () => { if (oracle.endsWith(`runner: ${end}\n`)) seen.add(JSON.stringify(normal(oracle))); };
  see();
  let failed = 0;
  for (const [i, way] of chosen.entries()) {
    const got = normal(played[i]);
    const same = () => seen.has(JSON.stringify(got));
    for (let runs = 1; !same() && runs < oracleRuns; ++runs) {
      oracle = await play('node:cluster');
      see();
    }
    if (!same()) console.log(`${title} with ${way}:\n${difference(normal(oracle), got)}`);
    failed += !same();
  }
  if (seen.size === 0) console.log(`${title} does not end with ${end} with node:cluster:\n${oracle}`);
  return failed;
}

async function main([folder, name, ...chosen]) {
  if (chosen.length === 0) chosen = Object.keys(ways).slice(1);
  const text = fs.readFileSync(path.join(__dirname, 'programs', `${name}.js`), 'utf8');
  const failed = await check(name, path.join(path.resolve(folder), name), text, chosen);
  console.log(failed === 0 ? 'all print the same' : `${failed} differ`);
  process.exitCode = failed === 0 ? 0 : 1;
}

module.exports = { run, normal, difference };
if (require.main === module) main(process.argv.slice(2));
