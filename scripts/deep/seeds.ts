/**
 * Seeds: the simulation over many seeds, at least so many simulated hours, and the proof that a seed is a world: the
 * same seed gives the same trace, in another process, too.
 */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { deepPart } from "./part.ts";

const HELP = `node scripts/deep/seeds.ts [flags]

Simulate --seeds seeds, from --from on, and more until --hours simulated hours are reached; --again: seeds that are
simulated twice, in two processes.`;

const ROOT = join(import.meta.dirname, "../..");

/** What scripts/simulate.ts prints at its end. */
type Summary = { readonly seeds: number; readonly hours: number; readonly executions: number };

async function simulate(args: readonly string[]): Promise<{ readonly output: string; readonly ok: boolean }> {
  const script = join(ROOT, "scripts/simulate.ts");
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [script, ...args], { maxBuffer: 2 ** 28 });
    return { output: stdout, ok: true };
  } catch (error) {
    const { stdout, stderr } = error as { readonly stdout?: string; readonly stderr?: string };
    return { output: `${stdout ?? ""}${stderr ?? String(error)}`, ok: false };
  }
}

/** Seeds of one batch, in a process of its own. */
const BATCH = 500;

async function simulateBatch(
  from: number,
  count: number,
): Promise<{ readonly summary: Summary; readonly faults: readonly string[] }> {
  const { output, ok } = await simulate(["--from", String(from), "--seeds", String(count)]);
  const [, seeds = "0", executions = "0", hours = "0"] =
    /^(\d+) seeds, (\d+) executions of steps, ([\d.]+) simulated hours/m.exec(output) ?? [];
  const faults = output.split("\n").filter((line) => line.startsWith("seed "));
  const summary = { seeds: Number(seeds), executions: Number(executions), hours: Number(hours) };
  return { summary, faults: ok || faults.length > 0 ? faults : [output.trim()] };
}

/** Two batches at a time until both the seeds and the hours are reached. */
async function simulateAll(
  wish: { readonly from: number; readonly seeds: number; readonly hours: number },
  say: (line: string) => void,
): Promise<{ readonly summary: Summary; readonly faults: readonly string[] }> {
  let next = wish.from;
  let summary: Summary = { seeds: 0, hours: 0, executions: 0 };
  const faults: string[] = [];
  const work = async (): Promise<void> => {
    while (next < wish.from + wish.seeds || (summary.hours < wish.hours && faults.length === 0)) {
      const from = next;
      next += BATCH;
      const left = wish.from + wish.seeds - from;
      const batch = await simulateBatch(from, left > 0 ? Math.min(BATCH, left) : BATCH);
      summary = {
        seeds: summary.seeds + batch.summary.seeds,
        hours: summary.hours + batch.summary.hours,
        executions: summary.executions + batch.summary.executions,
      };
      faults.push(...batch.faults);
      if (Math.floor(summary.seeds / BATCH) % 4 === 0) {
        say(`${summary.seeds} seeds, ${summary.hours.toFixed(1)} simulated hours`);
      }
    }
  };
  await Promise.all([work(), work()]);
  return { summary, faults };
}

/** The line that tells a seed's trace, without what it costs. */
async function traceOf(seed: number): Promise<string> {
  const { output } = await simulate(["--seed", String(seed)]);
  return /^seed .*$/m.exec(output)?.[0] ?? output;
}

await deepPart(
  { help: HELP, flags: { seeds: "20000", from: "1", hours: "200", again: "100" } },
  async ({ whole, check, tell, say }) => {
    const wish = { from: whole("from", 0), seeds: whole("seeds", 1), hours: whole("hours", 0) };
    await check("every seed keeps every promise", async () => {
      const { summary, faults } = await simulateAll(wish, say);
      const { seeds, hours, executions } = summary;
      tell(
        `${seeds} seeds, ${hours.toFixed(1)} simulated hours, ${executions} executions of steps, ${faults.length} seeds broke a promise`,
      );
      return [
        ...faults,
        ...(seeds >= wish.seeds && hours >= wish.hours
          ? []
          : [`${wish.seeds} seeds and ${wish.hours} hours were wanted`]),
      ];
    });
    const again = whole("again", 0);
    await check("the same seed gives the same trace", async (remark) => {
      remark(`${again} seeds twice`);
      const differing: string[] = [];
      for (let index = 0; index < again; index += 1) {
        const seed = wish.from + index * Math.max(1, Math.floor(wish.seeds / again));
        const [one, other] = await Promise.all([traceOf(seed), traceOf(seed)]);
        if (one !== other) differing.push(`${one}\n      ${other}`);
      }
      return differing;
    });
  },
);
