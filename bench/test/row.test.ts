/** Rows: what is computed from the figures, over rounds and against goals. */
import { describe, expect, it } from "vitest";
import { type Figures, type Job, UNMEASURED } from "../job.ts";
import { medianRows, type Row, toRow } from "../row.ts";
import { headerText, rowText, settingText, summaryText } from "../table.ts";
import { aPostgresRow, aRow } from "./a-row.ts";

const JOB: Job = {
  store: "sqlite",
  workload: "checkout",
  concurrency: 512,
  stepsPerRun: 5,
  warmupMs: 1,
  warmupRuns: 1,
  measureMs: 1,
  measureRuns: 1,
};
const FIGURES: Figures = {
  ...UNMEASURED,
  runs: 26_000,
  elapsedMs: 2_000,
  p50Ms: 39.123456,
  p99Ms: 50,
  cpuUsPerRun: 80,
  flushesPerRun: 7 / 512,
  rssMb: 200,
  bytesPerRun: 1_820.4,
  rowsPerRun: 6,
};

const { machine, fdatasyncPerSecond, versions, settings } = aRow();
const setting = { machine, fdatasyncPerSecond, versions, settings };

describe("toRow", () => {
  it("divides by the measured time, and by the bare loop of the same concurrency", () => {
    const earlier = [
      aRow({ workload: "bare", concurrency: 64, runsPerSecond: 1 }),
      aRow({ workload: "bare", runsPerSecond: 26_000 }),
    ];
    const row = toRow(JOB, FIGURES, 3, { earlier, setting });
    expect(row).toMatchObject({ round: 3, runsPerSecond: 13_000, stepsPerSecond: 65_000, bareRatio: 0.5 });
    expect(row).toMatchObject({ p50Ms: 39.12, flushesPerRun: 0.01367, bytesPerRun: 1_820 });
  });

  it("has no ratio without a bare loop in the same round", () => {
    expect(toRow(JOB, FIGURES, 1, { earlier: [], setting }).bareRatio).toBeNull();
  });

  it("is compared with rows of its own store alone", () => {
    const earlier = [aPostgresRow({ workload: "bare", runsPerSecond: 13_000 })];
    expect(toRow(JOB, FIGURES, 1, { earlier, setting }).bareRatio).toBeNull();
    expect(toRow({ ...JOB, store: "postgres" }, FIGURES, 1, { earlier, setting }).bareRatio).toBe(1);
  });

  it("compares claims with those among the fewest runs, and workers with one", () => {
    const claim = { ...JOB, store: "postgres", workload: "claim", concurrency: 10_000 } as const;
    const few = toRow({ ...claim, concurrency: 1_000 }, { ...FIGURES, claimUs: 30 }, 1, { earlier: [], setting });
    expect([few.claimUs, few.claimRatio, few.goals]).toEqual([30, null, []]);
    const many = toRow(claim, { ...FIGURES, claimUs: 75 }, 1, { earlier: [few], setting });
    expect([many.claimRatio, many.goals]).toEqual([2.5, [{ figure: "claimRatio", most: 2, met: false }]]);

    const workers = { ...JOB, store: "postgres", workload: "workers", concurrency: 4 } as const;
    const one = toRow({ ...workers, concurrency: 1 }, FIGURES, 1, { earlier: [few, many], setting });
    const four = toRow(workers, { ...FIGURES, runs: 39_000 }, 1, { earlier: [few, many, one], setting });
    expect([one.workersRatio, four.workersRatio]).toEqual([null, 1.5]);
    expect(four.goals).toEqual([{ figure: "workersRatio", least: 1, met: true }]);
  });

  it("holds the figures against the goals, where they were measured", () => {
    const alone = toRow(JOB, FIGURES, 1, { earlier: [], setting });
    expect(alone.goals).toEqual([{ figure: "runsPerSecond", least: 20_000, met: false }]);
    const earlier = [aRow({ workload: "bare", runsPerSecond: 52_000 })];
    expect(toRow(JOB, FIGURES, 1, { earlier, setting }).goals[1]).toEqual({
      figure: "bareRatio",
      least: 0.55,
      met: false,
    });
  });
});

describe("a goal of one store", () => {
  it.each([
    ["sqlite", [{ figure: "runsPerSecond", least: 20_000, met: false }]],
    ["postgres", [{ figure: "runsPerSecond", least: 8_000, met: true }]],
  ] as const)("counts for %s alone", (store, goals) => {
    expect(toRow({ ...JOB, store }, FIGURES, 1, { earlier: [], setting }).goals).toEqual(goals);
  });
});

describe("a goal of one size", () => {
  it.each([
    [{ workload: "fanout", stepsPerRun: 10_000 }, [{ figure: "p50Ms", most: 300, met: true }]],
    [{ workload: "fanout", stepsPerRun: 1_000 }, []],
    [
      { workload: "growth", concurrency: 64, rowsBefore: 5_000_000 },
      [
        { figure: "growthRatio", most: 1.1, met: false },
        { figure: "bytesPerStep", most: 400, met: true },
      ],
    ],
    [{ workload: "growth", concurrency: 64, rowsBefore: 200_000 }, [{ figure: "bytesPerStep", most: 400, met: true }]],
  ] as const)("counts for %j alone", (fields, goals) => {
    const job = { ...JOB, concurrency: 1, ...fields };
    const figures = { ...FIGURES, growthRatio: 1.2, bytesPerStep: 330 };
    expect(toRow(job, figures, 1, { earlier: [], setting }).goals).toEqual(goals);
  });
});

describe("medianRows", () => {
  it("takes the middle of each figure, job by job, and judges it", () => {
    const rows = [5_000, 30_000, 23_000].flatMap((runsPerSecond, index) => [
      aRow({ workload: "bare", runsPerSecond: 1, bareRatio: null }),
      aRow({ runsPerSecond, bareRatio: [0.1, 0.9, 0.2][index]! }),
    ]);
    const [bare, checkout, ...rest] = medianRows(rows);
    expect(rest).toEqual([]);
    expect(bare).toMatchObject({ workload: "bare", round: "median", runsPerSecond: 1, bareRatio: null });
    expect(checkout).toMatchObject({ round: "median", runsPerSecond: 23_000, bareRatio: 0.2 });
    expect(checkout?.goals.map((goal) => goal.met)).toEqual([true, false]);
  });

  it("keeps the stores apart", () => {
    const medians = medianRows([
      aRow({ p50Ms: 1 }),
      aPostgresRow({ p50Ms: 2 }),
      aRow({ p50Ms: 3 }),
      aPostgresRow({ p50Ms: 4 }),
    ]);
    expect(medians.map(({ store, p50Ms }) => [store, p50Ms])).toEqual([
      ["sqlite", 2],
      ["postgres", 3],
    ]);
  });

  it("takes the mean of the two in the middle", () => {
    const rows = [1, 2, 4, 100].map((p50Ms) => aRow({ p50Ms }));
    expect(medianRows(rows)[0]?.p50Ms).toBe(3);
  });
});

/** Of a row for which only what it says itself was measured. */
const NOTHING: Partial<Row> = {
  runsPerSecond: 0,
  stepsPerSecond: 0,
  p50Ms: null,
  p99Ms: null,
  cpuUsPerRun: null,
  flushesPerRun: null,
  bytesPerRun: null,
  bareRatio: null,
};

describe("the table", () => {
  const rows = [
    aRow(),
    aRow({
      workload: "sequential",
      concurrency: 1,
      stepsPerRun: 5_000,
      cpuUsPerRun: 1_052_058,
      bytesPerRun: 1_530_000,
      tenthRatio: 1.02,
      bareRatio: null,
    }),
    aRow({
      workload: "recovery",
      concurrency: 1_000,
      p50Ms: null,
      p99Ms: null,
      takeoverMs: 310,
      recoveryMs: 402,
      bareRatio: null,
    }),
    aRow({ workload: "sleepers", concurrency: 100_000, runsPerSecond: 123_456, sleepersMb: 123.4, bareRatio: null }),
    aRow({ workload: "growth", rowsBefore: 5_000_000, growthRatio: 1.01, bytesPerStep: 329.4, bareRatio: null }),
    aRow({ workload: "claim", concurrency: 1_000, claimUs: 31.24, bareRatio: null }),
    aRow({ workload: "claim", concurrency: 1_000_000, claimUs: 35, claimRatio: 1.12, bareRatio: null }),
    aRow({ workload: "workers", concurrency: 4, workersRatio: 1.34, bareRatio: null }),
    aRow({ ...NOTHING, workload: "idle", concurrency: 10, queriesPerSecond: 4.2 }),
  ];

  it("keeps within 80 columns, under its headings", () => {
    const both = [...rows, ...rows.map((row) => aPostgresRow({ ...row, store: "postgres" }))];
    const texts = [settingText([aRow(), aPostgresRow()]), headerText(), ...both.map(rowText), summaryText(both)];
    const lines = texts.join("\n").split("\n");
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
    expect(new Set([headerText(), ...rows.map(rowText)].map((line) => line.length))).toEqual(new Set([80]));
  });

  it("keeps numbers apart and says what was not measured", () => {
    expect(rowText(rows[0]!).split(/ +/)).toEqual([
      "checkout",
      "512",
      "5",
      "15,123",
      "75,615",
      "33.1",
      "40.3",
      "62",
      "-",
      "0.0137",
      "1,823",
    ]);
    expect(rowText(rows[1]!).split(/ +/)).toHaveLength(11);
    expect(rowText(rows[1]!)).toMatch(/ 1\.05M .* 1\.53M$/);
    expect(rowText(rows[2]!).split(/ +/).slice(5, 7)).toEqual(["-", "-"]);
    expect(rowText(aPostgresRow()).split(/ +/).slice(7, 9)).toEqual(["62", "101"]);
    expect(rowText(rows.at(-1)!).split(/ +/)).toEqual(["idle", "10", "5", "0", "0", ...Array(6).fill("-")]);
  });

  it("ends with the ratios, the recovery and the goals", () => {
    const goals = [{ figure: "runsPerSecond", least: 12_000, met: true }] as const;
    expect(summaryText([aRow({ goals }), ...rows.slice(1)]).split("\n")).toEqual([
      "checkout at 512: 0.5 x bare",
      "sequential: last tenth 1.02 x first tenth of 5,000 steps",
      "recovery of 1,000 runs: first step after 310 ms, the last after 402 ms",
      "100,000 sleepers: 123 MB above the empty engine, 123,456 starts/s",
      "growth: 1.01 x CPU per step at 5,000,000 rows, 329 B per step",
      "claim with 1,000 due: 31.2 us of the server",
      "claim with 1,000,000 due: 35 us of the server, 1.12 x with the fewest",
      "4 workers: 1.34 x one",
      "10 idle workers: 4.2 queries/s",
      "goal met    checkout at 512: runsPerSecond 15,123 (>= 12,000)",
    ]);
  });

  it("names the store where there are several", () => {
    const goals = [{ figure: "runsPerSecond", least: 8_000, met: true }] as const;
    expect(summaryText([aRow(), aPostgresRow({ goals })]).split("\n")).toEqual([
      "sqlite checkout at 512: 0.5 x bare",
      "postgres checkout at 512: 0.5 x bare",
      "goal met    postgres checkout at 512: runsPerSecond 9,012 (>= 8,000)",
    ]);
  });

  it("tells of each store what its speed depends on", () => {
    expect(settingText([aRow(), aPostgresRow()]).split("\n").slice(2)).toEqual([
      "9,876 fdatasync/s; quick",
      "SQLite 3.53.4; WAL, synchronous=FULL",
      "PostgreSQL 18.4, started for this; fsync on, synchronous_commit on,",
      "  shared_buffers 128MB, max_wal_size 1GB, full_page_writes on",
    ]);
  });
});
