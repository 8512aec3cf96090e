// SPDX-License-Identifier: MIT
// Asks two workers, has one of them killed in the middle, and goes on with the other: client.js NAME, one of clients.js.
const assert = require('node:assert');
const { connect, lingers } = require('./clients')[process.argv[2]];
const { told } = require('./told');

let number = 0;
async function ask(connection) {
  const question = { number: ++number };
  const { pid, echo } = await connection.ask(question);
  assert.deepStrictEqual(echo, question);
  return pid;
}

async function ask_anew(port) {
  const connection = await connect(port);
  try {
    return await ask(connection);
  } finally {
    await connection.close();
  }
}

async function main() {
  const { port, pids, policy } = await told('listening');

  const served = new Set();
  for (let i = 0; i < 6; i++) served.add(await ask_anew(port));
  for (const pid of served) assert(pids.includes(pid));
  if (policy === 'rr') assert.strictEqual(served.size, 2);

  const kept = await connect(port);
  const survivor = await ask(kept);
  for (let i = 0; i < 6; i++) assert.strictEqual(await ask(kept), survivor);

  // Many at once, and the first answer is a worker's death. Nobody is left without an answer or an end.
  const killed = told('killed');
  let begun = false;
  const outcomes = await Promise.allSettled(Array.from({ length: 20 }, async () => {
    const pid = await ask_anew(port);
    if (!begun) process.send({ kill: pids.find((other) => other !== survivor) });
    begun = true;
    return pid;
  }));
  for (const { value } of outcomes) assert(value === undefined || pids.includes(value));
  for (const { reason } of outcomes) assert(!(reason instanceof assert.AssertionError), reason);
  await killed;

  assert.strictEqual(await ask(kept), survivor);
  for (let i = 0; i < 6; i++) assert.strictEqual(await ask_anew(port), survivor);

  // A connection that does not keep its worker is left open.
  if (lingers) await kept.close();
  process.send({ done: true });
  await told('left');
  process.disconnect();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
