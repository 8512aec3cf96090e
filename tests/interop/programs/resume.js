// SPDX-License-Identifier: MIT
// A TLS client that comes back: the session that one worker gave must be good at the others, and at one that came later.
const assert = require('node:assert');
const fs = require('node:fs');
const https = require('node:https');
const { told } = require('./told');

function visit(port, version, session) {
  return new Promise((resolve, reject) => {
    let given, reused;
    const options = { ca: fs.readFileSync('cert.pem'), minVersion: version, maxVersion: version, session, agent: false };
    const request = https.request(`https://127.0.0.1:${port}`, { method: 'POST', ...options }, async (response) => {
      let body = '';
      for await (const piece of response) body += piece;
      resolve({ pid: JSON.parse(body).pid, session: given, reused });
    });
    request.on('socket', (socket) => {
      socket.on('session', (session) => { given = session; });
      socket.on('secureConnect', () => { reused = socket.isSessionReused(); });
    });
    request.on('error', reject).end('{}');
  });
}

async function come_back(port, policy, sessions) {
  for (const [version, session] of sessions) {
    const served = new Set();
    for (let i = 0; i < 4; i++) {
      const { pid, reused } = await visit(port, version, session);
      assert.strictEqual(reused, true, `${version}: process ${pid} does not know the session`);
      served.add(pid);
    }
    if (policy === 'rr') assert.strictEqual(served.size, 2);
  }
}

async function main() {
  const { port, pids, policy } = await told('listening');
  const sessions = new Map();
  for (const version of ['TLSv1.2', 'TLSv1.3']) {
    const { session, reused } = await visit(port, version);
    assert.strictEqual(reused, false);
    sessions.set(version, session);
  }
  await come_back(port, policy, sessions);

  process.send({ kill: pids[0] });
  await told('killed');
  process.send({ fork: true });
  await told('listening');
  await come_back(port, policy, sessions);

  process.send({ done: true });
  await told('left');
  process.disconnect();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
