// SPDX-License-Identifier: MIT
// Plays one scenario of scenarios.json on Node's own cluster and prints every event, as trace_test.cpp does with muster.
'use strict';
const cluster = require('node:cluster');
const net = require('node:net');
const scenario = JSON.parse(process.env.SCENARIO);

if (cluster.isPrimary) {
  cluster.schedulingPolicy = scenario.policy === 'none' ? cluster.SCHED_NONE : cluster.SCHED_RR;
  cluster.setupPrimary({ silent: true });
  const script = scenario.primary || {};
  let listening = 0;
  const log = (worker, who, event, details = '') => console.log(`${worker ? worker.id : 0} ${who} ${event} ${details}`.trim());
  const facts = (w) => `listed=${w.id in cluster.workers} connected=${w.isConnected()} dead=${w.isDead()} voluntary=${w.exitedAfterDisconnect}`;
  const act = (trigger, w) => {
    for (const action of script[trigger] || []) {
      const [verb, word] = action.split(' ');
      if (verb === 'disconnect') w.disconnect();
      else if (verb === 'kill') word ? w.process.kill(word) : w.kill();
      else if (verb === 'send') w.send(word);
      else if (verb === 'process-disconnect') w.process.disconnect();
      else if (verb === 'cluster-disconnect') cluster.disconnect();
      else if (verb === 'fork') fork();
      else throw new Error(action);
    }
  };
  const fork = () => {
    const w = cluster.fork();
    for (const e of ['online', 'listening', 'disconnect', 'exit']) w.on(e, () => log(w, 'worker', e));
    w.on('message', (m) => log(w, 'worker', 'message', m));
    w.on('error', (e) => log(w, 'worker', 'error', e.code));
    w.process.on('spawn', () => log(w, 'process', 'spawn'));
    w.process.on('message', (m) => log(w, 'process', 'message', m));
    w.process.on('disconnect', () => log(w, 'process', 'disconnect'));
    w.process.on('exit', () => log(w, 'process', 'exit'));
  };
  cluster.on('setup', () => log(null, 'cluster', 'setup'));
  for (const e of ['fork', 'online']) cluster.on(e, (w) => { log(w, 'cluster', e, facts(w)); act(e, w); });
  cluster.on('listening', (w, a) => {
    log(w, 'cluster', 'listening', `${a.addressType} ${facts(w)}`);
    act('listening', w);
    if (++listening === scenario.workers) act('all-listening', w);
  });
  cluster.on('message', (w, m) => { log(w, 'cluster', 'message', m); act('message ' + m, w); });
  cluster.on('disconnect', (w) => { log(w, 'cluster', 'disconnect', facts(w)); act('disconnect', w); });
  cluster.on('exit', (w, code, signal) => { log(w, 'cluster', 'exit', `${signal || code} ${facts(w)}`); act('exit', w); });
  if (scenario.taken) {
    const blocker = net.createServer().listen(0, '127.0.0.1', () => {
      process.env.TAKEN = blocker.address().port;
      blocker.unref();
      for (let i = 0; i < scenario.workers; i++) fork();
    });
  } else {
    for (let i = 0; i < scenario.workers; i++) fork();
    act('start');
  }
} else {
  const script = scenario.worker || {};
  let server;
  const act = (trigger) => {
    for (const action of script[trigger] || []) {
      const [verb, word] = action.split(' ');
      if (verb === 'listen') listen({ port: 0 });
      else if (verb === 'listen-taken') listen({ port: +process.env.TAKEN, host: '127.0.0.1' });
      else if (verb === 'listen-path') listen({ path: process.env.TEST_PATH });
      else if (verb === 'listen-exclusive') listen({ port: 0, exclusive: true });
      else if (verb === 'close') server.close(() => act('closed'));
      else if (verb === 'exit') process.exit(+word);
      else if (verb === 'throw') throw new Error('boom');
      else if (verb === 'leave') cluster.worker.disconnect();
      else if (verb === 'kill') cluster.worker.kill();
      else if (verb === 'disconnect') process.disconnect();
      else if (verb === 'signal') process.kill(process.pid, word);
      else if (verb === 'send') process.send(word);
      else throw new Error(action);
    }
  };
  const listen = (options) => {
    server = net.createServer();
    // Not inside the server's own event: a server that is closed there is never announced.
    server.on('listening', () => setImmediate(() => act('listening')));
    server.on('error', (e) => { process.send('error-' + e.code); act('error'); });
    server.listen(options);
  };
  process.on('message', (m) => act('message ' + m));
  cluster.worker.on('disconnect', () => act('worker-disconnect'));
  act('start');
}
