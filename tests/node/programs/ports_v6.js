// SPDX-License-Identifier: MIT
// IPv6 with and without IPv4, under both policies.
const cluster = require('node:cluster');
const { spawn } = require('node:child_process');
const net = require('node:net');

const workers = 2;
const { POLICY, ONLY } = process.env;

if (cluster.isPrimary && !POLICY) {
  for (const NODE_CLUSTER_SCHED_POLICY of ['rr', 'none']) {
    for (const only of ['', 'yes']) {
      const env = { ...process.env, NODE_CLUSTER_SCHED_POLICY, POLICY: NODE_CLUSTER_SCHED_POLICY, ONLY: only };
      spawn(process.execPath, [...process.execArgv, process.argv[1]], { env, stdio: 'inherit' })
        .on('exit', (code, signal) => console.log(`${NODE_CLUSTER_SCHED_POLICY}${only}`, 'ends', code, signal));
    }
  }
} else if (cluster.isPrimary) {
  const name = `${POLICY}${ONLY}`;
  // A port that is free for IPv6 alone: what has it for IPv4 is here.
  const beside = net.createServer().listen(0, '0.0.0.0', () => {
    const { port } = beside.address();
    const ports = new Set();
    let listening = 0;
    for (let i = 0; i < workers; i++) cluster.fork({ PORT: ONLY ? port : 0 });
    cluster.on('listening', (worker, address) => {
      ports.add(address.port);
      console.log(name, 'listening', address.address, address.addressType, ONLY ? address.port === port : address.port > 0);
      if (++listening < workers) return;
      console.log(name, 'ports', ports.size);
      connect(address.port, '::1', () => {
        if (ONLY) cluster.disconnect();
        else connect(address.port, '127.0.0.1', () => cluster.disconnect());
      });
    });
    cluster.on('exit', (worker, code, signal) => {
      console.log(name, 'exit', code, signal);
      beside.close();
    });
  });
  const connect = (port, host, done) => net.connect(port, host).setEncoding('utf8').on('error', console.log).on('data', (text) => {
    console.log(name, 'answer', host, text);
    done();
  });
} else {
  net.createServer((socket) => socket.end(`from ${socket.remoteAddress}`)).listen({ port: +process.env.PORT, host: ONLY ? '::' : undefined, ipv6Only: !!ONLY });
}
