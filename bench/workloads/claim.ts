/**
 * Claim: what it costs the server to hand out a run while many are due. If it grew with their number, a backlog would
 * get slower to work off by getting longer.
 *
 * A real worker claims runs that do nothing, a few at a time; the time of its claims, and how many runs they gave, are
 * the server's own count of those statements.
 */
import { openEngine, workflow } from "stepwell";
import { type Figures, type Task, UNMEASURED } from "../job.ts";
import { createDatabase } from "./database.ts";
import { fillDue } from "./fill.ts";
import { countStatements, type Statements } from "./statements.ts";

/** Runs side by side, and so the most that one claim can take. */
const SLOTS = 8;

/** Claims alone pass over what others have locked. */
const CLAIMS = "%SKIP LOCKED%";

/** `measureRuns` claimed, after `warmupRuns`, while `rowsBefore` were due at the beginning. */
export async function measureClaim(task: Task): Promise<Figures> {
  let ended = 0;
  let wait: { readonly until: number; readonly resolve: () => void } | null = null;
  const nothing = workflow("bench/claim", { version: "1.0.0" }, async (_ctx, _order: number) => {
    ended += 1;
    if (ended === wait?.until) wait.resolve();
  });
  const endedRuns = (until: number): Promise<void> =>
    new Promise((resolve) => {
      wait = { until, resolve };
      if (ended >= until) resolve();
    });
  const count = (): Promise<Statements> => countStatements(task.url, task.otherUrl, CLAIMS);
  await createDatabase(task.url, nothing);
  await fillDue(task.url, task.rowsBefore ?? 0, "0");
  const engine = await openEngine({ store: task.url, workflows: [nothing], work: { concurrency: SLOTS } });
  await endedRuns(task.warmupRuns);
  const startedMs = performance.now();
  const before = await count();
  await endedRuns(task.warmupRuns + task.measureRuns);
  const after = await count();
  const elapsedMs = performance.now() - startedMs;
  const rssMb = process.memoryUsage.rss() / 2 ** 20;
  await engine.close();
  const runs = after.rows - before.rows;
  return { ...UNMEASURED, runs, elapsedMs, rssMb, claimUs: (after.us - before.us) / runs };
}
