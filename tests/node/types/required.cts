import cluster = require('muster-cluster');
import type { Address, ClusterSettings, Worker } from 'node:cluster';

if (cluster.isPrimary) {
  const settings: ClusterSettings = { exec: 'worker.js', silent: true };
  cluster.setupPrimary(settings);
  cluster.schedulingPolicy = cluster.SCHED_LEAST_CONNECTIONS;
  cluster.schedulingPolicy = (connection, workers) => workers[Number(connection.remote?.port) % workers.length];
  const worker: Worker = cluster.fork({ NAME: 'one' });
  worker.on('listening', (address: Address) => console.log(address.port));
  cluster.on('exit', (left, code, signal) => console.log(left.id, code, signal));
  cluster.disconnect(() => console.log(Object.keys(cluster.workers ?? {})));

  const options: cluster.ReloadOptions = { readyTimeout: 5_000, exitTimeout: 5_000 };
  const fresh: Promise<Worker[]> = cluster.reload(options);
  void fresh.then(([first]) => console.log(first?.process.pid));
  const { forked, workers } = cluster.metrics();
  const uptime: number | undefined = workers[0]?.uptime;
  console.log(forked, uptime);

  // @ts-expect-error a number of milliseconds
  void cluster.reload({ readyTimeout: 'soon' });
  // @ts-expect-error not to be changed
  cluster.SCHED_KERNEL = 7;
  // @ts-expect-error a policy of that name is not a policy
  cluster.schedulingPolicy = 'kernel';
} else {
  console.log(cluster.worker?.id);
}
