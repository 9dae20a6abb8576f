/**
 * Soak: one engine under a steady mixed load for a long time. What must not grow does not: resident memory, the heap,
 * timers and handles, open files, and the bytes that a thousand runs leave in the file.
 *
 * Every ten seconds the load rests until nothing is under way; then garbage is collected and everything is measured.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Engine } from "../../packages/stepwell/src/engine/engine.ts";
import { openEngine } from "../../packages/stepwell/src/engine/open.ts";
import { deepPart } from "./part.ts";
import { fitSlope, type Slope } from "./slope.ts";
import { RUNS_PER_ROUND, SOAK_WORKFLOWS, soakRound } from "./soak-load.ts";

const HELP = `node scripts/deep/soak.ts [flags]

Work for so many minutes at so many runs per second, and see that nothing grows but the file, and that evenly. The
first third warms up, at first twenty times as fast, and is not judged: V8 lets its young generation grow with the
highest load that it meets, once. Below 30 minutes memory is told and not judged: it has not settled.`;

const SAMPLE_MS = 10_000;
const MB_PER_HOUR_MAX = 1;
/** Of the bytes that a run leaves: last third against the middle one. */
const BYTES_RATIO_MAX = 1.03;
const FULL_MINUTES = 30;
/** The burst: for so long at most, and a tenth of the time, so much faster. */
const BURST_MS_MAX = 120_000;
const BURST_FACTOR = 20;

/** One look, at rest. */
type Sample = {
  readonly hours: number;
  readonly rounds: number;
  readonly rssMb: number;
  /** Of it, what is the process's own, without pages of files such as its program. Zero where it cannot be told. */
  readonly ownMb: number;
  readonly heapMb: number;
  readonly handles: string;
  readonly files: number;
  readonly bytes: number;
};

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** Rounds at a steady pace until `untilMs`, then until all have ended. @returns rounds begun so far */
async function load(
  engine: Engine,
  pace: { readonly untilMs: number; everyMs: number; rounds: number },
): Promise<number> {
  const underWay = new Set<Promise<void>>();
  const failures: unknown[] = [];
  for (let dueMs = performance.now(); dueMs < pace.untilMs && failures.length === 0; dueMs += pace.everyMs) {
    await sleep(Math.max(0, dueMs - performance.now()));
    const round: Promise<void> = soakRound(engine, (pace.rounds += 1))
      .catch((error: unknown) => void failures.push(error))
      .then(() => void underWay.delete(round));
    underWay.add(round);
  }
  await Promise.all(underWay);
  if (failures.length > 0) throw new Error("the load failed", { cause: failures[0] });
  return pace.rounds;
}

/** Twice collected: what finalisers release is gone only the second time. */
async function look(path: string, startedMs: number, rounds: number): Promise<Sample> {
  collectGarbage();
  await sleep(50);
  collectGarbage();
  const { rss, heapUsed } = process.memoryUsage();
  const handles = Map.groupBy(process.getActiveResourcesInfo(), (kind) => kind);
  const db = new DatabaseSync(path, { readOnly: true });
  const pragma = (name: string): number => Number(db.prepare(`PRAGMA ${name}`).get()?.[name]);
  const bytes = (pragma("page_count") - pragma("freelist_count")) * pragma("page_size");
  db.close();
  return {
    hours: (performance.now() - startedMs) / 3_600_000,
    rounds,
    rssMb: rss / 2 ** 20,
    ownMb: ownMemoryKb() / 1_024,
    heapMb: heapUsed / 2 ** 20,
    handles: [...handles]
      .map(([kind, all]) => `${kind} ${all.length}`)
      .toSorted()
      .join(", "),
    files: countFiles(),
    bytes,
  };
}

function ownMemoryKb(): number {
  if (process.platform !== "linux") return 0;
  return Number(/^RssAnon:\s+(\d+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? 0);
}

function countFiles(): number {
  return process.platform === "linux" ? readdirSync("/proc/self/fd").length : 0;
}

function slopeOf(samples: readonly Sample[], y: (sample: Sample) => number): Slope {
  return fitSlope(samples.map((sample) => ({ x: sample.hours, y: y(sample) })));
}

function judgeSlope(what: string, slope: Slope): readonly string[] {
  if (slope.perX <= MB_PER_HOUR_MAX) return [];
  return [`${what} grows by ${slopeText(slope)}, ${MB_PER_HOUR_MAX} is allowed`];
}

function slopeText({ perX, margin }: Slope): string {
  return `${perX.toFixed(2)} ± ${margin.toFixed(2)} MB/h`;
}

/** Kinds and numbers of what the event loop waits for, at rest. */
function judgeHandles(samples: readonly Sample[]): readonly string[] {
  const first = samples[0]!;
  const last = samples.at(-1)!;
  const most = Math.max(...samples.map(({ files }) => files));
  return [
    ...(totalOf(last.handles) <= Math.max(...samples.slice(0, 6).map(({ handles }) => totalOf(handles)))
      ? []
      : [`handles and timers went from ${first.handles} to ${last.handles}`]),
    ...(most <= first.files ? [] : [`open files went from ${first.files} to ${most}`]),
  ];
}

function totalOf(handles: string): number {
  return (handles.match(/\d+/g) ?? []).reduce((sum, count) => sum + Number(count), 0);
}

function bytesPerRun(samples: readonly Sample[]): number {
  const [first, last] = [samples[0]!, samples.at(-1)!];
  return (last.bytes - first.bytes) / ((last.rounds - first.rounds) * RUNS_PER_ROUND);
}

await deepPart(
  { help: HELP, flags: { minutes: "30", rate: "40" } },
  async ({ folder, whole, check, skip, tell, say }) => {
    const minutes = whole("minutes", 1);
    const everyMs = (1_000 / whole("rate", 1)) * RUNS_PER_ROUND;
    const path = join(folder, "soak.db");
    const samples: Sample[] = [];
    await check("every run ends as it must", async (remark) => {
      const engine = await openEngine({ store: `sqlite:${path}`, workflows: SOAK_WORKFLOWS, hotWait: "100ms" });
      const startedMs = performance.now();
      const pace = { untilMs: 0, everyMs, rounds: 0 };
      const burstMs = Math.min(BURST_MS_MAX, minutes * 6_000);
      while (performance.now() - startedMs < minutes * 60_000) {
        pace.everyMs = performance.now() - startedMs < burstMs ? everyMs / BURST_FACTOR : everyMs;
        pace.untilMs = performance.now() + SAMPLE_MS;
        const sample = await look(path, startedMs, await load(engine, pace));
        samples.push(sample);
        if (samples.length % 6 === 0) say(sampleText(sample));
      }
      await engine.close();
      const cpu = process.cpuUsage();
      remark(`${pace.rounds * RUNS_PER_ROUND} runs, ${Math.round((cpu.user + cpu.system) / 1e6)} s of CPU`);
      return [];
    });
    const warm = samples.slice(Math.ceil(samples.length / 3));
    if (warm.length < 3) return say("too short to judge");
    const [rss, heap] = [slopeOf(warm, ({ rssMb }) => rssMb), slopeOf(warm, ({ heapMb }) => heapMb)];
    for (const [what, slope] of [
      ["resident memory", rss],
      ["the heap", heap],
    ] as const) {
      const why = `${minutes} min are too short: code and caches are still warming up; it grew by ${slopeText(slope)}`;
      if (minutes < FULL_MINUTES) skip(`${what} does not grow`, why);
      else await check(`${what} does not grow`, () => Promise.resolve(judgeSlope(what, slope)));
    }
    await check("handles, timers and open files do not grow", () => Promise.resolve(judgeHandles(warm)));
    const half = warm.length >> 1;
    const [earlier, later] = [bytesPerRun(warm.slice(0, half + 1)), bytesPerRun(warm.slice(half))];
    await check("a run leaves as many bytes late as early", () =>
      Promise.resolve(
        later / earlier <= BYTES_RATIO_MAX
          ? []
          : [`bytes per run went from ${earlier.toFixed(0)} to ${later.toFixed(0)}`],
      ),
    );
    const last = warm.at(-1)!;
    tell(
      `${minutes} min, ${last.rounds * RUNS_PER_ROUND} runs; memory ${last.rssMb.toFixed(1)} MB, slope ${slopeText(rss)}, ` +
        `its own ${last.ownMb.toFixed(1)} MB, slope ${slopeText(slopeOf(warm, ({ ownMb }) => ownMb))}; ` +
        `heap ${last.heapMb.toFixed(1)} MB, slope ${slopeText(heap)} (19 in 20, were the looks independent)`,
    );
    tell(
      `at rest: ${last.handles}, ${last.files} open files; ${earlier.toFixed(0)} bytes a run earlier, ${later.toFixed(0)} later`,
    );
  },
);

function sampleText({ hours, rounds, rssMb, ownMb, heapMb, handles, files, bytes }: Sample): string {
  const file = (bytes / 2 ** 20).toFixed(1);
  return (
    `${(hours * 60).toFixed(1)} min: ${rounds * RUNS_PER_ROUND} runs, ${rssMb.toFixed(1)} MB (own ${ownMb.toFixed(1)}), heap ${heapMb.toFixed(2)} MB, ` +
    `${handles}, ${files} open files, ${file} MB on disk`
  );
}
