// SPDX-License-Identifier: MIT
// Sessions of socket.io over polling, each request of which is a connection of its own, from several addresses.
const assert = require('node:assert');
const http = require('node:http');
const { io } = require('socket.io-client');
const { told } = require('./told');

async function pids_of_a_session(port, localAddress) {
  const agent = new http.Agent({ keepAlive: false, localAddress });
  const socket = io(`http://127.0.0.1:${port}`, { transports: ['polling'], reconnection: false, forceNew: true, agent });
  const lost = new Promise((resolve, reject) => socket.on('connect_error', reject).on('disconnect', reject));
  lost.catch(() => {});
  const pids = new Set();
  for (let number = 0; number < 5; number++) {
    const answer = await Promise.race([socket.emitWithAck('ask', { number }), lost]);
    assert.deepStrictEqual(answer.echo, { number });
    pids.add(answer.pid);
  }
  const closed = new Promise((resolve) => socket.io.engine.once('close', resolve));
  socket.disconnect();
  await closed;
  return pids;
}

async function main() {
  const { port } = await told('listening');
  const served = new Set();
  for (let n = 1; n <= 8; n++) {
    const pids = await pids_of_a_session(port, `127.0.0.${n}`);
    assert.strictEqual(pids.size, 1);
    served.add(...pids);
  }
  assert.strictEqual(served.size, 2);
  const left = told('left');
  process.send({ done: true });
  await left;
  process.disconnect();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
