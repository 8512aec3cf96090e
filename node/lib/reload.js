'use strict';

const os = require('node:os');

const errors = require('./errors');
const { native } = require('./engine');

const now = () => Math.round(performance.now());

let underWay = false;

// The command's reload, for the workers of a program: the engine's supervisor says what is to be done, here it is done. `refork`
// makes a worker like another.
function reload(cluster, refork, { readyTimeout = 10_000, exitTimeout = 10_000 } = {}) {
  for (const [name, value] of Object.entries({ readyTimeout, exitTimeout })) {
    if (!Number.isInteger(value) || value < 0) return Promise.reject(errors.invalidTimeout(name, value));
  }
  if (underWay) return Promise.reject(errors.coded('ERR_MUSTER_RELOAD', 'A reload is under way'));
  const old = Object.values(cluster.workers).filter((worker) => worker.isConnected());
  if (old.length === 0) return Promise.resolve([]);
  underWay = true;

  return new Promise((resolve, reject) => {
    const workers = new Map(); // run -> worker
    const leaving = new Set();
    const fresh = [];
    let timer;
    let ended = false;

    const watch = (run, worker) => {
      workers.set(run, worker);
      worker.once('exit', (code, signal) => {
        leaving.delete(run);
        if (underWay) step(native.reloadExited(run, code, signal === null ? null : os.constants.signals[signal] ?? 0, now()));
      });
    };
    const acts = {
      fork(run, why, model) {
        // In the place of one that ended by itself: the program's business.
        if (ended || !model) return;
        const worker = refork(model);
        fresh.push(worker);
        watch(run, worker);
        const ready = model.state === 'online' ? 'online' : 'listening';
        worker.once(ready, () => underWay && step(native.reloadReady(run, now())));
      },
      drain(run) {
        const worker = workers.get(run);
        if (!worker) return;
        leaving.add(run);
        if (worker.isConnected()) worker.disconnect();
      },
      terminate(run) {
        leaving.add(run);
        workers.get(run)?.process.kill('SIGTERM');
      },
      kill(run) {
        leaving.add(run);
        workers.get(run)?.process.kill('SIGKILL');
      },
      ended(run, why) {
        ended = true;
        if (why) reject(errors.coded('ERR_MUSTER_RELOAD', `The reload was abandoned: ${why}`));
        else resolve(fresh);
      },
    };
    const waiting = [...old];
    function step({ effects, deadline }) {
      for (const [name, run, why] of effects) acts[name](run, why, name === 'fork' ? waiting.shift() : undefined);
      clearTimeout(timer);
      if (ended && leaving.size === 0) {
        underWay = false;
      } else if (deadline !== null) {
        timer = setTimeout(() => step(native.reloadTime(now())), Math.min(Math.max(0, deadline - now()), 2 ** 31 - 1));
      }
    }

    const runs = native.reloadBegin(old.length, readyTimeout, exitTimeout, now()).effects.map(([, run]) => run);
    runs.forEach((run, i) => watch(run, old[i]));
    for (const run of runs) native.reloadReady(run, now());
    step(native.reloadStart(now()));
  });
}

module.exports = { reload };
