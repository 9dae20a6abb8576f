/** What the benchmark's flags mean, and what is refused. */
import { describe, expect, it } from "vitest";
import { parseFlags, USAGE } from "../flags.ts";
import type { Job } from "../job.ts";
import { chooseJobs, planJobs } from "../plan.ts";

const SWITCHES = { quick: false, json: false, save: false, help: false };
const NONE = { ...SWITCHES, rounds: 1, only: null, store: ["sqlite"], url: null };

describe("parseFlags", () => {
  it("asks for everything, once, in a table, when there is no flag", () => {
    expect(parseFlags([])).toEqual({ ok: true, flags: NONE });
  });

  it("understands every flag of the usage", () => {
    const args = ["--quick", "--json", "--save", "--help", "--rounds", "7", "--only", "checkout@512, bare"];
    args.push("--store", "postgres,sqlite", "--url", "postgres://me@db/test");
    const only = [
      { workload: "checkout", concurrency: 512 },
      { workload: "bare", concurrency: null },
    ];
    const given = { rounds: 7, only, store: ["sqlite", "postgres"], url: "postgres://me@db/test" };
    const flags = { quick: true, json: true, save: true, help: true, ...given };
    expect(parseFlags(args)).toEqual({ ok: true, flags });
    for (const name of Object.keys(NONE)) expect(USAGE).toContain(`--${name}`);
    for (const line of USAGE.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
  });

  it.each([
    [["--fast"], "Unknown option '--fast'"],
    [["checkout"], "Unexpected argument 'checkout'"],
    [["--rounds"], "Option '--rounds <value>' argument missing"],
    [["--rounds", "0"], '--rounds takes a whole number from 1 to 99, not "0"'],
    [["--rounds", "1.5"], '--rounds takes a whole number from 1 to 99, not "1.5"'],
    [["--only", "checkout,latncy"], '--only does not know "latncy"'],
    [["--only", "bare@"], '--only does not know "bare@"'],
    [["--store", "mysql"], '--store does not know "mysql"'],
    [["--store", "sqlite,"], '--store does not know ""'],
    [["--url", "postgres://db/test"], "--url needs --store postgres"],
    [["--store", "postgres", "--url", "db"], '--url takes postgres://user@host/database, not "db"'],
  ])("refuses %j in one line", (args, message) => {
    expect(parseFlags(args)).toEqual({ ok: false, message });
  });
});

describe("the plan", () => {
  it.each([true, false])(
    "has every workload, and bare just before the checkout it is compared with (quick: %s)",
    (quick) => {
      const names = planJobs(quick).map((job) => `${job.workload}@${job.concurrency}`);
      expect(names).toEqual([
        ...["bare@1", "checkout@1", "bare@64", "checkout@64", "bare@512", "checkout@512"],
        ...["latency@1", "tx@1", "tx@64", "fanout@1", "sequential@1", "recovery@1000"],
        ...[quick ? "sleepers@10000" : "sleepers@100000", "growth@64"],
      ]);
    },
  );

  it.each([true, false])("asks PostgreSQL for the same, and for what concerns many workers (quick: %s)", (quick) => {
    const named = (jobs: readonly Job[]): readonly string[] => jobs.map((job) => `${job.workload}@${job.concurrency}`);
    const [jobs, sqliteJobs] = [planJobs(quick, ["postgres"]), planJobs(quick)];
    const claims = [1_000, 10_000, 100_000, ...(quick ? [] : [1_000_000])].map((rows) => `claim@${rows}`);
    expect(named(jobs)).toEqual([...named(sqliteJobs), ...claims, "workers@1", "workers@4", "idle@10"]);
    expect(planJobs(quick, ["sqlite", "postgres"])).toEqual([...sqliteJobs, ...jobs]);
  });

  it("is cut down to what was chosen", () => {
    const chosen = chooseJobs(planJobs(true), [
      { workload: "checkout", concurrency: 64 },
      { workload: "bare", concurrency: null },
    ]);
    expect(chosen?.map((job) => `${job.workload}@${job.concurrency}`)).toEqual([
      "bare@1",
      "bare@64",
      "checkout@64",
      "bare@512",
    ]);
  });

  it("says when something is chosen that it has not", () => {
    expect(chooseJobs(planJobs(true), [{ workload: "claim", concurrency: null }])).toBeNull();
    expect(chooseJobs(planJobs(true), [{ workload: "checkout", concurrency: 7 }])).toBeNull();
  });
});
