// SPDX-License-Identifier: MIT
// node scenarios.js FOLDER: every scenario of ../conformance, on node:cluster and on muster.
'use strict';

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { run, normal, difference } = require('./run');

const conformance = path.join(__dirname, '..', 'conformance');
const folder = path.resolve(process.argv[2]);
fs.mkdirSync(folder, { recursive: true });
const trace = fs.readFileSync(path.join(conformance, 'trace.js'), 'utf8');
const oracle = path.join(folder, 'oracle.js');
const required = path.join(folder, 'required.js');
fs.writeFileSync(oracle, trace);
fs.writeFileSync(required, trace.replace("'node:cluster'", "'muster-cluster'"));

const scenarios = JSON.parse(fs.readFileSync(path.join(conformance, 'scenarios.json'), 'utf8'));
let failed = 0;

// Whether a message still meets a worker that is leaving is chance.
const certain = (output) => normal(output).filter((line) => !line.endsWith('error EPIPE'));

// Which of two things that happen at once is heard first is chance too: any that Node has been seen to print will do.
const oracleRuns = 12;

async function play() {
  for (let scenario; (scenario = scenarios.pop());) {
    const print = async (file) => {
      const sockets = fs.mkdtempSync(path.join(os.tmpdir(), 'scenario-'));
      const output = await run(file, [], { SCENARIO: JSON.stringify(scenario), TEST_PATH: path.join(sockets, 's') });
      fs.rmSync(sockets, { recursive: true });
      return certain(output);
    };
    const seen = new Set();
    let [expected, got] = await Promise.all([print(oracle), print(required)]);
    seen.add(JSON.stringify(expected));
    for (let runs = 1; !seen.has(JSON.stringify(got)) && runs < oracleRuns; ++runs) {
      [expected, got] = await Promise.all([print(oracle), print(required)]);
      seen.add(JSON.stringify(expected));
    }
    if (seen.has(JSON.stringify(got))) continue;
    ++failed;
    console.log(`${scenario.name}:\n${difference(expected, got)}`);
  }
}

Promise.all([play(), play(), play()]).then(() => {
  console.log(failed === 0 ? 'all print the same' : `${failed} differ`);
  process.exitCode = failed === 0 ? 0 : 1;
});
