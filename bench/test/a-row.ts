/** A row for tests; name only what the test is about. */
import type { Row } from "../row.ts";

/** `checkout` at 512 on a machine of its own. */
export function aRow(fields: Partial<Row> = {}): Row {
  return {
    workload: "checkout",
    store: "sqlite",
    concurrency: 512,
    stepsPerRun: 5,
    round: 1,
    runs: 30_000,
    runsPerSecond: 15_123,
    stepsPerSecond: 75_615,
    p50Ms: 33.1,
    p99Ms: 40.25,
    cpuUsPerRun: 62.1,
    serverCpuUsPerRun: null,
    flushesPerRun: 0.01367,
    rssMb: 240.2,
    bytesPerRun: 1_823,
    rowsPerRun: 6,
    bareRatio: 0.5,
    tenthRatio: null,
    takeoverMs: null,
    recoveryMs: null,
    sleepersMb: null,
    growthRatio: null,
    bytesPerStep: null,
    claimUs: null,
    claimRatio: null,
    workersRatio: null,
    queriesPerSecond: null,
    rowsBefore: null,
    goals: [],
    machine: { cpu: "CPU <&> 3000", cores: 2, memoryGb: 24, os: "Linux 6 x64" },
    fdatasyncPerSecond: 9_876,
    versions: { stepwell: "0.1.0", commit: null, node: "24.21.0", sqlite: "3.53.4", postgres: null },
    settings: { journalMode: "wal", synchronous: "full", walAutocheckpoint: 1000, quick: true, rounds: 1 },
    ...fields,
  };
}

/** The same on PostgreSQL. */
export function aPostgresRow(fields: Partial<Row> = {}): Row {
  const row = aRow({ store: "postgres", serverCpuUsPerRun: 101, runsPerSecond: 9_012, ...fields });
  const settings = {
    server: "own",
    fsync: "on",
    synchronous_commit: "on",
    shared_buffers: "128MB",
    max_wal_size: "1GB",
  };
  return {
    ...row,
    versions: { ...row.versions, postgres: "18.4" },
    settings: { ...settings, full_page_writes: "on", quick: true, rounds: 1 },
  };
}
