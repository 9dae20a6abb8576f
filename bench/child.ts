/**
 * The child's side of a job: run one workload, print its figures as one line of JSON.
 *
 * To profile a workload, give this file a task by hand; on PostgreSQL with the URL of an empty database:
 *
 *     node --cpu-prof --conditions=stepwell-source bench/child.ts '{"store":"sqlite","workload":"checkout",
 *       "part":"measure","url":"sqlite:/tmp/profile.db","concurrency":512,"stepsPerRun":5,"warmupMs":1000,
 *       "warmupRuns":1e9,"measureMs":5000,"measureRuns":1e9,"spawnedAtMs":0,"serverPid":null}'
 */
import type { Figures, Task, Workload } from "./job.ts";
import { measureBare } from "./workloads/bare.ts";
import { measureCheckout } from "./workloads/checkout.ts";
import { measureClaim } from "./workloads/claim.ts";
import { measureFanout } from "./workloads/fanout.ts";
import { serveFleet } from "./workloads/fleet.ts";
import { measureGrowth } from "./workloads/growth.ts";
import { measureIdle } from "./workloads/idle.ts";
import { measureLatency } from "./workloads/latency.ts";
import { crashMidway, measureRecovery } from "./workloads/recovery.ts";
import { measureSequential } from "./workloads/sequential.ts";
import { measureSleepers } from "./workloads/sleepers.ts";
import { measureTx } from "./workloads/tx.ts";
import { measureWorkers } from "./workloads/workers.ts";

const MEASURE: Readonly<Record<Workload, (task: Task) => Promise<Figures>>> = {
  bare: measureBare,
  checkout: measureCheckout,
  latency: measureLatency,
  tx: measureTx,
  fanout: measureFanout,
  sequential: measureSequential,
  recovery: measureRecovery,
  sleepers: measureSleepers,
  growth: measureGrowth,
  claim: measureClaim,
  workers: measureWorkers,
  idle: measureIdle,
};

const task = JSON.parse(process.argv[2] ?? "null") as Task;
switch (task.part) {
  case "crash":
    await crashMidway(task);
    break;
  case "work":
    await serveFleet(task);
    break;
  case "measure":
    console.log(JSON.stringify(await MEASURE[task.workload](task)));
}
