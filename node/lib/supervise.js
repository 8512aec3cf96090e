// SPDX-License-Identifier: MIT
'use strict';

const EventEmitter = require('node:events');
const os = require('node:os');

const errors = require('./errors');
const { native } = require('./engine');
const { checkIntegers } = require('./options');
const { Plan, now } = require('./plan');

const defaults = {
  workers: undefined,
  env: undefined,
  readiness: 'listening',
  parallel: 1,
  maxStarting: 0,
  readyTimeout: 30_000,
  backoff: 100,
  maxBackoff: 15_000,
  maxRestarts: 10,
  restartWindow: 60_000,
  maxAge: 0,
  exitTimeout: 30_000,
};
const readinesses = ['listening', 'online'];

// Who has closed its channel mostly ends.
const deafGrace = 1000;

function checked(given) {
  for (const name of Object.keys(given ?? {})) {
    if (!(name in defaults)) throw errors.unknownOption(name, Object.keys(defaults));
  }
  const options = { ...defaults, workers: os.availableParallelism(), ...given };
  const { workers, parallel, env, readiness, ...numbers } = options;
  checkIntegers({ workers, parallel }, 1);
  checkIntegers(numbers, 0);
  if (!readinesses.includes(readiness)) throw errors.invalidChoice('readiness', readinesses, readiness);
  return options;
}

const active = new Set();

class Supervisor extends EventEmitter {
  #plan;
  #last = null; // what was known when it stopped
  #reloading = null; // { resolve, reject }
  #waiting = null; // for workers to be ready
  #stopped = [];

  constructor(cluster, options) {
    super();
    const { env, readiness, exitTimeout } = options;
    this.#plan = new Plan(native.beginSupervision({ ...options, seed: Math.floor(Math.random() * 2 ** 48) }, now()), exitTimeout, {
      fork: (run, seat, generation) => {
        const worker = this.#plan.start(run, () => cluster.fork({
          MUSTER_WORKER: seat,
          MUSTER_GENERATION: generation,
          ...(typeof env === 'function' ? env(seat, generation) : env),
        }));
        if (!worker) return;
        worker.once(readiness, () => {
          this.#plan.ready(run);
          this.emit('ready', worker, seat);
        });
        worker.once('listening', () => worker.once('disconnect', () => this.#replaceDeaf(run, worker)));
      },
      end: (run, end) => this.#end(run, end),
      reloaded: (run, result) => this.#reloaded(result),
      fail: (run, why) => {
        this.#wait(null, why);
        process.nextTick(() => this.emit('fail', why));
      },
      stop: () => process.nextTick(() => this.#stop()),
      stepped: () => {
        const { ready, wanted } = this.#known();
        if (ready >= wanted) this.#wait(null, '');
      },
    });
    active.add(this);
    // What the first workers set off finds its listeners.
    process.nextTick(() => this.#plan.step());
  }

  #known() {
    return this.#last ?? native.supervision(this.#plan.number, now());
  }

  get state() { return this.#known().state; }
  get health() { return this.#known().health; }
  get wanted() { return this.#known().wanted; }
  get ready() { return this.#known().ready; }
  get restarts() { return this.#known().restarts; }

  // A worker that can be dealt no connection any more, and does not end, gets a successor.
  #replaceDeaf(run, worker) {
    const timer = setInterval(() => {
      if (worker.isDead() || this.#last) return clearInterval(timer);
      this.#order('replace', run);
      this.#plan.step();
    }, deafGrace).unref();
  }

  #order(what, count = 0) {
    const why = this.#last ? `it is ${this.#last.state}` : native.supervise(this.#plan.number, what, count, now());
    return why && errors.coded('ERR_MUSTER_RELOAD', `Cannot ${what}: ${why}`);
  }

  async reload() {
    const refused = this.#order('reload');
    if (refused) throw refused;
    const done = new Promise((resolve, reject) => { this.#reloading = { resolve, reject }; });
    this.#plan.step();
    return done;
  }

  restart() {
    return this.#change('restart');
  }

  async scale(workers) {
    checkIntegers({ workers }, 1);
    return this.#change('scale', workers);
  }

  async #change(what, count) {
    const refused = this.#order(what, count);
    if (refused) throw refused;
    const done = new Promise((resolve, reject) => this.#wait({ resolve, reject, what }, 'another command took its place'));
    this.#plan.step();
    return done;
  }

  // Who waits for workers to be ready is told, and `next` waits.
  #wait(next, why) {
    const waiting = this.#waiting;
    this.#waiting = next;
    if (!waiting) return;
    if (why) waiting.reject(errors.coded('ERR_MUSTER_RELOAD', `Cannot ${waiting.what}: ${why}`));
    else waiting.resolve();
  }

  stop() {
    if (this.#last) return Promise.resolve();
    const done = new Promise((resolve) => this.#stopped.push(resolve));
    this.#order('stop');
    this.#plan.step();
    return done;
  }

  #end(run, { successor, nextTry, ...end }) {
    const { workers, failures } = this.#plan;
    const told = {
      worker: workers.get(run),
      error: failures.get(run),
      ...end,
      successor: successor === null ? undefined : workers.get(successor),
      nextTry: nextTry ?? undefined,
    };
    workers.delete(run);
    failures.delete(run);
    process.nextTick(() => this.emit('end', told));
  }

  #reloaded(result) {
    const reloading = this.#reloading;
    this.#reloading = null;
    if (result.why) reloading?.reject(errors.coded('ERR_MUSTER_RELOAD', `The reload was abandoned: ${result.why}`));
    else reloading?.resolve(result);
    process.nextTick(() => this.emit('reload', result));
  }

  #stop() {
    this.#last = this.#known();
    this.#plan.end();
    this.#wait(null, 'the supervisor was stopped');
    active.delete(this);
    for (const resolve of this.#stopped.splice(0)) resolve();
    this.emit('stop');
  }
}

function supervise(cluster, options) {
  const right = checked(options);
  cluster.setupPrimary();
  return new Supervisor(cluster, right);
}

// Whether workers are kept by somebody.
const isSupervised = () => active.size > 0;

module.exports = { supervise, isSupervised };
