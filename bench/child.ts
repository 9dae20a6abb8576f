/**
 * The child's side of a job: run one workload, print its figures as one line of JSON.
 *
 * To profile a workload, give this file a task by hand:
 *
 *     node --cpu-prof --conditions=stepwell-source bench/child.ts '{"workload":"checkout","part":"measure",
 *       "path":"/tmp/profile.db","concurrency":512,"stepsPerRun":5,"warmupMs":1000,"warmupRuns":1e9,
 *       "measureMs":5000,"measureRuns":1e9,"spawnedAtMs":0}'
 */
import type { Figures, Task, Workload } from "./job.ts";
import { measureBare } from "./workloads/bare.ts";
import { measureCheckout } from "./workloads/checkout.ts";
import { measureFanout } from "./workloads/fanout.ts";
import { measureGrowth } from "./workloads/growth.ts";
import { measureLatency } from "./workloads/latency.ts";
import { crashMidway, measureRecovery } from "./workloads/recovery.ts";
import { measureSequential } from "./workloads/sequential.ts";
import { measureSleepers } from "./workloads/sleepers.ts";

const MEASURE: Readonly<Record<Workload, (task: Task) => Promise<Figures>>> = {
  bare: measureBare,
  checkout: measureCheckout,
  latency: measureLatency,
  fanout: measureFanout,
  sequential: measureSequential,
  recovery: measureRecovery,
  sleepers: measureSleepers,
  growth: measureGrowth,
};

const task = JSON.parse(process.argv[2] ?? "null") as Task;
if (task.part === "crash") await crashMidway(task);
else console.log(JSON.stringify(await MEASURE[task.workload](task)));
