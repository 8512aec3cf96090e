/// <reference types="node" />
import { Cluster as NodeCluster, ClusterSettings, Worker } from 'node:cluster';

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
    /** How many milliseconds a new worker may take to listen. 10000. */
    readyTimeout?: number;
    /** How many milliseconds an old one may take to end before it gets SIGTERM, and five seconds later SIGKILL. 10000. */
    exitTimeout?: number;
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
    /** In the primary. */
    metrics(): Metrics;
  }
}

declare const muster: muster.Cluster;
export = muster;
