'use strict';

const os = require('node:os');

const errors = require('./errors');
const { native } = require('./engine');

const now = () => Math.round(performance.now());

let underWay = null; // the workers of the reload that is
let replacing = false; // not all of them are; then the old ones have to leave
let finished = null; // when they have

// The command's reload, for the workers of a program: the engine's supervisor says what is to be done, here it is done. `refork`
// makes a worker like another.
function reload(cluster, refork, options) {
  const { readyTimeout = 10_000, exitTimeout = 10_000 } = options ?? {};
  for (const [name, value] of Object.entries({ readyTimeout, exitTimeout })) {
    if (!Number.isInteger(value) || value < 0) return Promise.reject(errors.invalidTimeout(name, value));
  }
  if (replacing) return Promise.reject(errors.coded('ERR_MUSTER_RELOAD', 'A reload is under way'));
  if (underWay) return finished.then(() => reload(cluster, refork, options));
  const old = Object.values(cluster.workers).filter((worker) => worker.isConnected());
  if (old.length === 0) return Promise.resolve([]);
  return new Promise((resolve, reject) => {
    const workers = new Map(); // run -> worker
    underWay = workers;
    replacing = true;
    let finish;
    finished = new Promise((done) => { finish = done; });
    const leaving = new Set();
    const fresh = [];
    let timer;
    let ended = false;

    const watch = (run, worker) => {
      workers.set(run, worker);
      worker.once('exit', (code, signal) => {
        leaving.delete(run);
        if (underWay === workers) step(native.reloadExited(run, code, signal === null ? null : os.constants.signals[signal] ?? 0, now()));
      });
    };
    // The worker of a run, if there is one.
    const leaves = (run) => {
      const worker = workers.get(run);
      if (worker && !worker.isDead()) leaving.add(run);
      return worker;
    };
    const acts = {
      fork(run, seat) {
        if (ended) return;
        const model = models.get(seat);
        models.delete(seat);
        // In the place of one that ended by itself: the program's business. The reload goes on as if there were one.
        if (!model?.isConnected() || model.isDead()) return vacant.push(run);
        const worker = refork(model);
        fresh.push(worker);
        watch(run, worker);
        const ready = model.state === 'online' ? 'online' : 'listening';
        worker.once(ready, () => underWay === workers && step(native.reloadReady(run, now())));
      },
      drain(run) {
        const worker = leaves(run);
        if (!worker?.isConnected()) return;
        // Who has this module in its program loses no request; another leaves as Node's workers do.
        worker.process._sendInternal({ cmd: 'NODE_MUSTER_DRAIN', timeout: exitTimeout });
        worker.disconnect();
      },
      terminate(run) {
        leaves(run)?.process.kill('SIGTERM');
      },
      kill(run) {
        leaves(run)?.process.kill('SIGKILL');
      },
      ended(run, why) {
        ended = true;
        replacing = false;
        if (why) reject(errors.coded('ERR_MUSTER_RELOAD', `The reload was abandoned: ${why}`));
        else resolve(fresh);
      },
    };
    const models = new Map(); // seat -> who sits there
    const vacant = [];
    function step({ effects, deadline }) {
      for (const [name, run, detail] of effects) acts[name](run, detail);
      if (vacant.length > 0) return step(native.reloadReady(vacant.shift(), now()));
      clearTimeout(timer);
      if (ended && leaving.size === 0) {
        underWay = null;
        finish();
      } else if (deadline !== null) {
        timer = setTimeout(() => step(native.reloadTime(now())), Math.min(Math.max(0, deadline - now()), 2 ** 31 - 1));
      }
    }

    const { effects: seats } = native.reloadBegin(old.length, readyTimeout, exitTimeout, now());
    seats.forEach(([, run, seat], i) => {
      models.set(seat, old[i]);
      watch(run, old[i]);
    });
    for (const [, run] of seats) native.reloadReady(run, now());
    step(native.reloadStart(now()));
  });
}

module.exports = { reload };
