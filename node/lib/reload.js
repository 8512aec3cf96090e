// SPDX-License-Identifier: MIT
'use strict';

const errors = require('./errors');
const { native } = require('./engine');
const { checkIntegers } = require('./options');
const { Plan, now } = require('./plan');
const { isSupervised } = require('./supervise');

let underWay = null; // the reload that is, until its old workers have left
let replacing = false; // not all of them are replaced
let finished = null; // when they have left

// `refork` makes a worker like another.
async function reload(cluster, refork, options) {
  const { readyTimeout = 10_000, exitTimeout = 10_000, parallel = 1 } = options ?? {};
  checkIntegers({ readyTimeout, exitTimeout }, 0);
  checkIntegers({ parallel }, 1);
  if (isSupervised()) throw errors.coded('ERR_MUSTER_RELOAD', 'A supervisor keeps the workers: its reload() is the one to call');
  if (replacing) throw errors.coded('ERR_MUSTER_RELOAD', 'A reload is under way');
  if (underWay) return finished.then(() => reload(cluster, refork, options));
  const old = Object.values(cluster.workers).filter((worker) => worker.isConnected());
  if (old.length === 0) return [];
  return new Promise((resolve, reject) => {
    replacing = true;
    let finish;
    finished = new Promise((done) => { finish = done; });
    const fresh = [];
    const plan = new Plan(native.beginReload(old.length, parallel, readyTimeout, exitTimeout, now()), exitTimeout, {
      fork(run, seat) {
        const model = old[seat];
        const worker = plan.start(run, () => refork(model));
        if (!worker) return;
        fresh.push(worker);
        worker.once(model.state === 'online' ? 'online' : 'listening', () => plan.ready(run));
      },
      reloaded(run, { why }) {
        replacing = false;
        const [cause] = plan.failures.values();
        if (why) reject(Object.assign(errors.coded('ERR_MUSTER_RELOAD', `The reload was abandoned: ${why}`), cause && { cause }));
        else resolve(fresh);
      },
      stepped() {
        if (underWay !== plan || replacing || !native.isOver(plan.number)) return;
        underWay = null;
        plan.end();
        finish();
      },
    });
    underWay = plan;
    old.forEach((worker, seat) => {
      plan.watch(seat + 1, worker);
      // One that leaves for another reason is the program's business, as one that ends.
      worker.once('disconnect', () => !worker.exitedAfterDisconnect && plan.exited(seat + 1, 0, null));
    });
    plan.step();
  });
}

module.exports = { reload };
