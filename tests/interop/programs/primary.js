// SPDX-License-Identifier: MIT
// A primary whose workers are another program: WORKER. They tell it of each request, and one that dies is replaced.
const cluster = require('node:cluster');
const { request, Agent } = require('undici');

setTimeout(() => { console.log('gave up waiting'); process.exit(1); }, 60000).unref();
process.execPath = process.env.WORKER;
cluster.setupPrimary({ exec: 'worker', args: ['--shop', 'open'] });

let port, listening = 0, told = 0, answered = 0, round = 0;
const workers = new Set();

async function serve(times) {
  for (let i = 0; i < times; i++) {
    const dispatcher = new Agent();
    const { body } = await request(`http://127.0.0.1:${port}/${i}`, { dispatcher });
    if (await body.text() !== `served /${i} with --shop open`) throw new Error('not what was asked for');
    await dispatcher.close();
    ++answered;
  }
  goOn();
}

// Who is killed may have told of an answer that it has not written yet.
function goOn() {
  if (told < 12 || answered < 12) return;
  console.log(`${told} requests` + (cluster.schedulingPolicy === cluster.SCHED_RR ? `, workers ${[...workers].sort()}` : ''));
  told = answered = 0;
  workers.clear();
  if (++round === 1) return cluster.workers[1].process.kill('SIGKILL');
  for (const id in cluster.workers) cluster.workers[id].send('close the shop');
}

cluster.on('listening', (worker, address) => {
  port = address.port;
  if (++listening >= 2) serve(12);
});
cluster.on('message', (worker, { url, pid }) => {
  if (pid !== worker.process.pid) throw new Error('not the one who tells');
  workers.add(worker.id);
  ++told;
  goOn();
});
cluster.on('exit', (worker, code, signal) => {
  if (worker.exitedAfterDisconnect) return console.log(`a worker left: ${code}`);
  console.log(`worker ${worker.id} died: ${signal}`);
  cluster.fork();
});

cluster.fork();
cluster.fork();
