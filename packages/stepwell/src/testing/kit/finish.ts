/**
 * Finish: carry a run to its end by skipping the time in which nothing happens. A run
 * that cannot end is told with what it waits for, instead of a test that hangs.
 */
import type { Approvals } from "../../engine/approvals.ts";
import type { RunHandle, RunOutcome, RunStatus } from "../../engine/handle.ts";
import { type Duration, parseDuration } from "../../model/duration.ts";
import { checkKeys } from "../../model/options.ts";
import { isTerminal, type Wait } from "../../model/run.ts";
import { refusal } from "./refusal.ts";
import { ask, lastingApprovals, lastingHandle, type Seat } from "./seat.ts";
import { tellRun, tellWait } from "./timeline.ts";
import { openWaits } from "./waits.ts";

/** Options of `finish` and `run`. */
export type FinishOptions = {
  /** How much virtual time may pass. Default one year. */
  readonly within?: Duration;
  /**
   * Called once for every wait for a signal or an approval, of this run and of all others, such as its children. The
   * place to play those who answer: `(wait, run) => run.signal(go, …)`, or
   * `(wait, run, approvals) => approvals.approve({ workflow: run.workflow, runId: run.id, name: wait.key }, …)`.
   */
  readonly onWait?: (wait: Wait, run: RunHandle, approvals: Approvals) => unknown;
};

/** Timers that may fire before a run counts as one that never ends. */
const TIMERS_MAX = 100_000;

const FINISH_OPTIONS = ["within", "onWait"] as const;

/** @throws AssertionError when the run does not end, with what it waits for */
export async function finish<Output>(
  seat: Seat,
  idle: () => Promise<void>,
  run: RunHandle<Output>,
  options: FinishOptions = {},
): Promise<RunOutcome<Output>> {
  checkKeys("options of finish", options, FINISH_OPTIONS);
  const { clock } = seat.world;
  const lasting = lastingHandle<Output>(seat, run.workflow, run.id);
  const untilMs = clock.nowMs() + parseDuration(options.within ?? "365d", "within");
  const told = new Set<string>();
  for (let timers = 0; ;) {
    await idle();
    if (isTerminal((await lasting.status()).state)) return lasting.outcome();
    if (options.onWait !== undefined && (await tellWaits(seat, options.onWait, told))) continue;
    const nextAtMs = clock.nextAtMs();
    if (nextAtMs === null || nextAtMs > untilMs || timers >= TIMERS_MAX) throw await stalled(seat, lasting, timers);
    clock.fireNext();
    timers += 1;
  }
}

/** @returns whether somebody was told, who may have done something */
async function tellWaits(
  seat: Seat,
  onWait: NonNullable<FinishOptions["onWait"]>,
  told: Set<string>,
): Promise<boolean> {
  const before = told.size;
  const { runs } = await ask(seat, (engine) => engine.list({ state: [...OPEN], limit: 1_000 }));
  for (const { workflow, id } of runs) {
    const run = lastingHandle(seat, workflow, id);
    for (const wait of openWaits(await run.status(), await run.history())) {
      const name = JSON.stringify([workflow, id, wait.key]);
      if (!isAddressed(wait) || told.has(name)) continue;
      told.add(name);
      await onWait(wait, run, lastingApprovals(seat));
    }
  }
  return told.size > before;
}

/** Somebody outside is to answer it. */
function isAddressed({ kind }: Wait): boolean {
  return kind === "signal" || kind === "approval";
}

const OPEN = ["pending", "running", "waiting", "compensating"] as const;

async function stalled(seat: Seat, run: RunHandle, timers: number): Promise<Error> {
  const status = await run.status();
  const history = await run.history();
  const waits = openWaits(status, history);
  const why =
    timers >= TIMERS_MAX ? `after ${TIMERS_MAX} timers it is still ${status.state}` : reason(seat, status, waits);
  return refusal(`${run.workflow} ${run.id} does not end: ${why}.\n\n${tellRun(status, history)}`);
}

function cureOf(wait: Wait | undefined): string {
  if (wait === undefined) return "";
  const answer =
    wait.kind === "signal" ? `Send it with run.signal(${wait.name}, …)` : "Decide it with approvals.approve(…)";
  return `. ${answer}, or pass \`onWait\``;
}

function reason(seat: Seat, status: RunStatus, waits: readonly Wait[]): string {
  if (status.onHold) return "somebody has paused it. Resume it with `run.resume()`";
  if (status.state === "paused") return `it is paused: ${status.error?.message ?? "nobody knows why"}`;
  const steps = seat.world.steps().filter((step) => step.startsWith(`${status.workflow} ${status.id} `));
  if (steps.length > 0) {
    return `the code of step ${steps.map((step) => `"${step.split(" ").at(-1)}"`).join(", ")} does not return`;
  }
  if (status.state === "pending") {
    return `nobody executes it. Was version ${status.version} of ${status.workflow} given to the test engine`;
  }
  if (waits.length > 0) {
    const what = waits.map(tellWait).join("; ");
    return `it waits for ${what}${cureOf(waits.find(isAddressed))}`;
  }
  return "its body awaits something that is no ctx call and does not come";
}
