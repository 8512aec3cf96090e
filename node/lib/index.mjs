// SPDX-License-Identifier: MIT
import cluster from './index.js';

export default cluster;
export const {
  SCHED_IP_HASH,
  SCHED_KERNEL,
  SCHED_LEAST_CONNECTIONS,
  SCHED_NONE,
  SCHED_RR,
  Worker,
  disconnect,
  fork,
  isMaster,
  isPrimary,
  isWorker,
  metrics,
  reload,
  schedulingPolicy,
  settings,
  setupMaster,
  setupPrimary,
  worker,
  workers,
} = cluster;
