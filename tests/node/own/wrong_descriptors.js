// SPDX-License-Identifier: MIT
// A worker that says of a file that it is a socket, of each kind: an error where somebody listens, never the primary's end.
const assert = require('node:assert');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const cluster = require('muster-cluster');

const types = ['net.Socket', 'net.Native', 'net.Server', 'dgram.Socket', 'dgram.Native', 'muster.Descriptor'];

const program = `
import array, json, os, socket, sys
channel = socket.socket(fileno=int(os.environ['NODE_CHANNEL_FD']))
send = lambda message, fds=(): channel.sendmsg([(json.dumps(message) + '\\n').encode()],
                                               [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', fds))] if fds else [])
send({'cmd': 'NODE_CLUSTER', 'act': 'online', 'seq': 0})
connected, peer = socket.socketpair()
fd = connected.fileno() if os.environ['WHAT'] == 'connection' else os.open(__file__, os.O_RDONLY)
send({'cmd': 'NODE_HANDLE', 'type': os.environ['TYPE'], 'msg': 'take this', 'dgramType': 'udp4'}, [fd])
while channel.recv(65536): pass
`;

async function main() {
  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'wrong-')), 'worker.py');
  fs.writeFileSync(file, program);
  cluster.setupPrimary({ exec: file, args: { execPath: 'python3', execArgv: [] } });
  const open = () => fs.readdirSync('/proc/self/fd').length;
  const before = open();
  for (const TYPE of types) {
    for (const WHAT of ['file', 'connection']) {
      // A connection is a net.Socket.
      if (WHAT === 'connection' && TYPE.startsWith('net.') && TYPE !== 'net.Server') continue;
      for (const heard of [true, false]) {
        Object.assign(process.env, { TYPE, WHAT });
        const worker = cluster.fork();
        const codes = [];
        if (heard) worker.on('error', ({ code }) => codes.push(code));
        worker.on('message', () => assert.fail(`${TYPE} ${WHAT}`));
        await new Promise((resolve) => worker.on('exit', resolve)); // once() would listen for errors
        assert.deepStrictEqual(codes, heard ? ['ERR_INVALID_FD_TYPE'] : [], `${TYPE} ${WHAT}`);
      }
    }
  }
  assert.ok(open() <= before, `${open()} descriptors are open, ${before} were`);
  fs.rmSync(path.dirname(file), { recursive: true });
}

main();
