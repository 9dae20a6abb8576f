/** Rows: what is computed from the figures, over rounds and against goals. */
import { describe, expect, it } from "vitest";
import type { Figures, Job } from "../job.ts";
import { medianRows, toRow } from "../row.ts";
import { headerText, rowText, settingText, summaryText } from "../table.ts";
import { aRow } from "./a-row.ts";

const JOB: Job = {
  workload: "checkout",
  concurrency: 512,
  stepsPerRun: 5,
  warmupMs: 1,
  warmupRuns: 1,
  measureMs: 1,
  measureRuns: 1,
};
const FIGURES: Figures = {
  runs: 26_000,
  elapsedMs: 2_000,
  p50Ms: 39.123456,
  p99Ms: 50,
  cpuUsPerRun: 80,
  flushesPerRun: 7 / 512,
  rssMb: 200,
  bytesPerRun: 1_820.4,
  rowsPerRun: 6,
  tenthRatio: null,
  takeoverMs: null,
  recoveryMs: null,
  sleepersMb: null,
  growthRatio: null,
  bytesPerStep: null,
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

  it("takes the mean of the two in the middle", () => {
    const rows = [1, 2, 4, 100].map((p50Ms) => aRow({ p50Ms }));
    expect(medianRows(rows)[0]?.p50Ms).toBe(3);
  });
});

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
  ];

  it("keeps within 80 columns, under its headings", () => {
    const lines = [settingText(rows[0]!), headerText(), ...rows.map(rowText), summaryText(rows)].join("\n").split("\n");
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
      "0.0137",
      "240",
      "1,823",
    ]);
    expect(rowText(rows[1]!).split(/ +/)).toHaveLength(11);
    expect(rowText(rows[1]!)).toMatch(/ 1\.05M .* 1\.53M$/);
    expect(rowText(rows[2]!).split(/ +/).slice(5, 7)).toEqual(["-", "-"]);
  });

  it("ends with the ratios, the recovery and the goals", () => {
    const goals = [{ figure: "runsPerSecond", least: 12_000, met: true }] as const;
    expect(summaryText([aRow({ goals }), ...rows.slice(1)]).split("\n")).toEqual([
      "checkout at 512: 0.5 x bare",
      "sequential: last tenth 1.02 x first tenth of 5,000 steps",
      "recovery of 1,000 runs: first step 310 ms, all completed 402 ms after restart",
      "100,000 sleepers: 123 MB above the empty engine, 123,456 starts/s",
      "growth: 1.01 x CPU per step at 5,000,000 rows, 329 B per step",
      "goal met    checkout at 512: runsPerSecond 15,123 (>= 12,000)",
    ]);
  });
});
