import cluster, { fork, isPrimary, metrics, reload, SCHED_IP_HASH, type ChooseWorker, type Metrics } from 'muster-cluster';
import 'muster-cluster/register';

const first: ChooseWorker = (_connection, workers) => workers[0];
cluster.schedulingPolicy = first;
const counted: Metrics = metrics();
if (isPrimary && counted.forked === 0 && SCHED_IP_HASH > 0) fork().on('online', () => void reload());
