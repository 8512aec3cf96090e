// SPDX-License-Identifier: MIT
// Every answer comes from another process than the one that accepted the connection.
const assert = require('node:assert');
const net = require('node:net');
const { told } = require('./told');

const ask = (port, question) => new Promise((resolve, reject) => {
  let text = '';
  const socket = net.connect({ port, host: '127.0.0.1' }).on('data', (piece) => { text += piece; }).on('error', reject);
  socket.on('end', () => resolve(JSON.parse(text))).write(question);
});

async function main() {
  const { port, pids, policy } = await told('listening');
  const answers = await Promise.all(Array.from({ length: 24 }, (_, i) => ask(port, `question ${i}`)));

  answers.forEach((answer, i) => assert.strictEqual(answer.question, `question ${i}`));
  const accepted = new Set(answers.map((answer) => answer.accepted));
  const answered = new Set(answers.map((answer) => answer.answered));
  for (const answer of answers) {
    assert(pids.includes(answer.accepted));
    assert(answer.answered === 'primary' || (pids.includes(answer.answered) && answer.answered !== answer.accepted));
  }
  if (policy === 'rr') assert.strictEqual(accepted.size, 2);
  assert(answered.has('primary') && answered.size === accepted.size + 1);

  process.send({ done: true });
  await told('left');
  process.disconnect();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
