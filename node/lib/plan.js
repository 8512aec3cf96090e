// SPDX-License-Identifier: MIT
'use strict';

const os = require('node:os');

const { native } = require('./engine');

const now = () => Math.round(performance.now());
const longestTimer = 2 ** 31 - 1;

// The engine decides which workers are replaced and when, for cluster.reload() and cluster.supervise(). Here that is done: `acts` has a
// function for each effect, and `stepped`, called after each step. Its methods report what happens to workers to the engine.
class Plan {
  constructor(number, exitTimeout, acts) {
    this.number = number;
    this.acts = {
      // Who has this module in its program loses no request; another leaves as Node's workers do.
      drain: (run) => {
        const worker = this.workers.get(run);
        if (!worker?.isConnected()) return worker?.process.kill('SIGTERM');
        worker.process._sendInternal({ cmd: 'NODE_MUSTER_DRAIN', timeout: exitTimeout });
        worker.disconnect();
      },
      terminate: (run) => this.workers.get(run)?.process.kill('SIGTERM'),
      kill: (run) => this.workers.get(run)?.process.kill('SIGKILL'),
      stepped() {},
      ...acts,
    };
    this.workers = new Map(); // run -> worker
    this.failures = new Map(); // run -> what its fork threw
    this.stepping = false;
  }

  // From now on that worker is the process of this run.
  watch(run, worker) {
    this.workers.set(run, worker);
    worker.once('exit', (code, signal) => this.exited(run, code, signal));
    if (worker.process.pid !== undefined) return;
    // It could not be started, and no exit follows.
    worker.once('error', (error) => {
      this.failures.set(run, error);
      this.exited(run, 127, null, false);
    });
  }

  // Makes the process of a run; one that cannot be made has failed to start.
  start(run, make) {
    let worker = null;
    try {
      worker = make();
    } catch (error) {
      this.failures.set(run, error);
      process.nextTick(() => this.exited(run, 127, null, false));
      return null;
    }
    this.watch(run, worker);
    return worker;
  }

  ready(run) {
    native.planReady(this.number, run, now());
    this.step();
  }

  exited(run, code, signal, started = true) {
    native.planExited(this.number, run, code, signal === null ? null : os.constants.signals[signal] ?? 0, started, now());
    this.step();
  }

  // What was decided by now is done; what that leads to, too.
  step() {
    if (this.stepping) return;
    this.stepping = true;
    try {
      for (let effect; (effect = native.takeEffect(this.number)) !== null;) {
        const [name, run, ...details] = effect;
        this.acts[name]?.(run, ...details);
      }
    } finally {
      this.stepping = false;
    }
    this.schedule();
    this.acts.stepped();
  }

  schedule() {
    clearTimeout(this.timer);
    const deadline = native.nextDeadline(this.number);
    if (deadline === null) return;
    this.timer = setTimeout(() => {
      native.planTime(this.number, now());
      this.step();
    }, Math.min(Math.max(0, deadline - now()), longestTimer));
  }

  end() {
    clearTimeout(this.timer);
    native.forgetPlan(this.number);
  }
}

module.exports = { Plan, now };
