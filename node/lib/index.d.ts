// SPDX-License-Identifier: MIT
/// <reference types="node" />
import { Cluster as NodeCluster, ClusterSettings, Worker } from 'node:cluster';
import { EventEmitter } from 'node:events';

declare namespace muster {
  interface ConnectionAddress {
    address: string;
    family: 'IPv4' | 'IPv6';
    port: number;
  }
  interface IncomingConnection {
    local: ConnectionAddress | null;
    remote: ConnectionAddress | null;
  }
  /** Who is to have the connection; nothing for any. It must not call the cluster. */
  type ChooseWorker = (connection: IncomingConnection, workers: Worker[]) => Worker | undefined;

  interface WorkerMetrics {
    id: number;
    pid: number | undefined;
    state: string;
    connected: boolean;
    /** Milliseconds since fork(). */
    uptime: number;
    /** Messages of the program, to the worker and from it. */
    sent: number;
    received: number;
  }
  interface Metrics {
    forked: number;
    online: number;
    listening: number;
    disconnected: number;
    exited: number;
    restarted: number;
    workers: WorkerMetrics[];
  }
  interface ReloadOptions {
    /** How many workers are replaced at a time. 1. */
    parallel?: number;
    /** How many milliseconds a new worker may take to listen. 10000. */
    readyTimeout?: number;
    /** How many milliseconds an old one may take to end before it gets SIGTERM, and five seconds later SIGKILL. 10000. */
    exitTimeout?: number;
  }

  interface SuperviseOptions {
    /** How many workers. As many as os.availableParallelism(). */
    workers?: number;
    /** Added to the environment of the worker on a seat, numbered from 1. With MUSTER_WORKER (the seat) and MUSTER_GENERATION (how many reloads there were). */
    env?: object | ((seat: number, generation: number) => object);
    /** When a worker is ready. 'listening'. */
    readiness?: 'listening' | 'online';
    /** How many a reload replaces at a time. 1. */
    parallel?: number;
    /** How many may be starting at a time; 0 for any number. 0. */
    maxStarting?: number;
    /** Milliseconds; 0 for any time. 30000. */
    readyTimeout?: number;
    /** The wait before the second try, in milliseconds, doubled each time, at most maxBackoff. 100, 15000. */
    backoff?: number;
    maxBackoff?: number;
    /** For each worker, within restartWindow milliseconds; 0 for any number. 10, 60000. */
    maxRestarts?: number;
    restartWindow?: number;
    /** A worker is replaced after so many milliseconds; 0 for never. 0. */
    maxAge?: number;
    /** How long a worker that leaves may take before it gets SIGTERM, in milliseconds, and five seconds later SIGKILL. 30000. */
    exitTimeout?: number;
  }
  type SupervisorState = 'starting' | 'running' | 'reloading' | 'stopping' | 'stopped' | 'failed';
  /** How a worker ended. */
  interface WorkerEnd {
    /** undefined where it could not be forked; then `error` says why. */
    worker: Worker | undefined;
    error: Error | undefined;
    seat: number;
    cause: 'crashed' | 'exited' | 'never became ready' | 'not started' | 'age' | 'hung' | 'reload' | 'restart' | 'scale' | 'stop';
    wasReady: boolean;
    /** Milliseconds. */
    lived: number;
    /** Who has its place by now. */
    successor: Worker | undefined;
    /** When the next is started, in milliseconds, where there is none. */
    nextTry: number | undefined;
  }
  interface RolloutResult {
    replaced: number;
    wanted: number;
    /** Milliseconds. */
    took: number;
    /** Why it was abandoned, or ''. */
    why: string;
  }
  /** Keeps workers. What fails by itself is told by 'fail', never by an exception. */
  interface Supervisor extends EventEmitter {
    readonly state: SupervisorState;
    readonly health: 'well' | 'degraded' | 'crash loop';
    /** How many workers are wanted, and how many are ready. */
    readonly wanted: number;
    readonly ready: number;
    readonly restarts: number;
    /** New workers for old, as cluster.reload(). Rejects with ERR_MUSTER_RELOAD when it is abandoned, or cannot be now. */
    reload(): Promise<RolloutResult>;
    /** Ends all at once and starts them again; when all are ready. */
    restart(): Promise<void>;
    scale(workers: number): Promise<void>;
    /** Lets each worker finish what it has; when all have ended. */
    stop(): Promise<void>;
    on(event: 'ready', listener: (worker: Worker, seat: number) => void): this;
    on(event: 'end', listener: (end: WorkerEnd) => void): this;
    on(event: 'reload', listener: (result: RolloutResult) => void): this;
    on(event: 'fail', listener: (why: string) => void): this;
    on(event: 'stop', listener: () => void): this;
    on(event: string, listener: (...args: any[]) => void): this;
  }

  /** A port on every host, the path of a Unix socket, or more exactly. */
  type Place = number | string | { port: number; host?: string } | { path: string } | { fd: number };
  interface Settings extends ClusterSettings {
    /**
     * Where workers of another user (`uid`) may have the primary listen, beside where that user may itself. Elsewhere their servers
     * fail with EACCES, and the worker emits an 'error' with the code ERR_LISTEN_NOT_PERMITTED. None.
     */
    mayListen?: Place | Place[];
    /** No set-user-ID program gives the worker more rights. false. */
    noNewPrivileges?: boolean;
  }

  interface Cluster extends Omit<NodeCluster, 'schedulingPolicy' | 'setupPrimary' | 'setupMaster'> {
    setupPrimary(settings?: Settings): void;
    setupMaster(settings?: Settings): void;
    readonly SCHED_LEAST_CONNECTIONS: number;
    readonly SCHED_IP_HASH: number;
    readonly SCHED_KERNEL: number;
    schedulingPolicy: number | ChooseWorker;
    /** In the primary: replaces every worker, one after the other, without a moment in which nobody listens. */
    reload(options?: ReloadOptions): Promise<Worker[]>;
    /**
     * In the primary: forks workers and keeps them. Who ends is started again, at once the first time, and later each time that it
     * fails; too many restarts within a time, or none that is ever ready, and the supervisor fails.
     */
    supervise(options?: SuperviseOptions): Supervisor;
    /** In the primary. */
    metrics(): Metrics;
  }
}

declare const muster: muster.Cluster;
export = muster;
