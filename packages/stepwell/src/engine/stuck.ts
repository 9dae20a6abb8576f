/**
 * Stuck: runs that do not move beyond what is expected of them, and runs that nobody
 * claims, are reported (P12).
 *
 *   K1. A run executed here is stuck when for longer than `stuckAfter`, and longer than any timeout
 *       of its running steps, it has submitted no write, heartbeats included, and no outcome has
 *       reached its body. A run that only waits for what is not due yet is not.
 *   K2. Each episode is told once: in the log, and by a note in the history. It ends when the run moves.
 *   K3. Runs that have been due for so long and unclaimed are told by version, once until that is
 *       over; versions that this process cannot execute count as well.
 *
 * One scan per worker at intervals; a write or an outcome costs at most one addition.
 */
import { formatDuration } from "../model/duration.ts";
import { encode } from "../model/json.ts";
import { identityText } from "../model/identity.ts";
import type { Deps } from "./deps.ts";
import { type Execution, runName, storeNowMs } from "./execution.ts";
import { saveNote } from "./record.ts";
import type { Slots } from "./slots.ts";

/** Scans per shortest `stuckAfter`, and their bounds. */
const SCANS = 4;
const SCAN_MS_MIN = 100;
const SCAN_MS_MAX = 30_000;

/** Keys named in one report. */
const KEYS_SHOWN = 5;

/** What a run was seen at; moments are of the host's monotonic clock. */
type Sight = { readonly mark: string; readonly sinceMs: number; readonly told: boolean };

type Watch = {
  readonly deps: Deps;
  readonly slots: Slots;
  sights: Map<Execution, Sight>;
  /** Versions told of, by row. */
  overdue: ReadonlySet<number>;
};

/** Scan until the result is called. Where nothing is to be found, nothing is scanned. */
export function watchStuck(deps: Deps, slots: Slots): () => void {
  const shortestMs = Math.min(deps.settings.stuckAfterMs ?? Infinity, deps.registry.shortestStuckMs());
  if (shortestMs === Infinity) return () => {};
  const everyMs = Math.min(Math.max(shortestMs / SCANS, SCAN_MS_MIN), SCAN_MS_MAX);
  const watch: Watch = { deps, slots, sights: new Map(), overdue: new Set() };
  let cancel = (): void => {};
  const plan = (): void => void (cancel = deps.host.timer(everyMs, scan));
  const scan = (): void => {
    scanRuns(watch);
    if (deps.settings.stuckAfterMs !== null) void scanOverdue(watch, deps.settings.stuckAfterMs);
    plan();
  };
  plan();
  return () => cancel();
}

/** Runs that have left are forgotten with the sights of the scan before. */
function scanRuns(watch: Watch): void {
  const { deps, slots } = watch;
  const sights = new Map<Execution, Sight>();
  const nowMs = deps.host.monotonicMs();
  for (const exec of slots.executing.values()) {
    const before = watch.sights.get(exec);
    const mark = markOf(exec);
    const still = before?.mark === mark && !isExpecting(exec);
    sights.set(exec, still ? report(deps, exec, before, nowMs) : { mark, sinceMs: nowMs, told: false });
  }
  watch.sights = sights;
}

/** Changes whenever the run moves. */
function markOf({ seq, moves, deliveredIn, phase }: Execution): string {
  return `${seq} ${moves} ${deliveredIn} ${phase}`;
}

/** Kept in memory until a wait is due, which is soon. */
function isExpecting(exec: Execution): boolean {
  return exec.stepping.size === 0 && exec.waits.size > 0 && exec.open.size === exec.waits.size;
}

function report(deps: Deps, exec: Execution, sight: Sight, nowMs: number): Sight {
  const allowedMs = exec.workflow.stuckAfterMs ?? deps.settings.stuckAfterMs;
  const stillMs = nowMs - sight.sinceMs;
  if (sight.told || allowedMs === null || exec.phase !== "running") return sight;
  if (stillMs < Math.max(allowedMs, longestTimeout(exec))) return sight;
  const doing = describeDoing(exec);
  const sinceMs = Math.round(storeNowMs(deps.host, exec) - stillMs);
  const since = new Date(sinceMs).toISOString();
  const message = `has not moved for ${formatDuration(stillMs)}, since ${since}: ${doing}.`;
  deps.log?.({ level: "warn", message, run: runName(exec), fields: { doing, sinceMs } });
  if (!exec.finishing) saveNote(deps, exec, { note: "stuck", value: encode({ doing, sinceMs }).text });
  // The note is no move of the run's own.
  return { ...sight, mark: markOf(exec), told: true };
}

function longestTimeout(exec: Execution): number {
  let longestMs = 0;
  for (const { key } of exec.stepping) {
    longestMs = Math.max(longestMs, exec.open.get(key)?.config.timeoutMs ?? 0);
  }
  return longestMs;
}

function describeDoing(exec: Execution): string {
  const steps = [...exec.stepping].map(({ key, context }) => `"${key}" (attempt ${context.attempt})`);
  if (steps.length > 0) return `it executes ${listed(steps)}`;
  if (exec.unanswered > 0) return "it waits for the store to answer";
  const open = [...exec.open.keys()].map((key) => `"${key}"`);
  if (open.length > 0) return `it has begun and not ended ${listed(open)}`;
  return "its body awaits something that is no ctx call";
}

function listed(names: readonly string[]): string {
  const more = names.length - KEYS_SHOWN;
  return names.slice(0, KEYS_SHOWN).join(", ") + (more > 0 ? ` and ${more} more` : "");
}

async function scanOverdue(watch: Watch, stuckAfterMs: number): Promise<void> {
  const { store, registry, log } = watch.deps;
  if (log === null) return;
  try {
    const overdue = (await store.listOldestDue(null)).filter((oldest) => oldest.overdueMs >= stuckAfterMs);
    for (const { version, overdueMs } of overdue) {
      if (watch.overdue.has(version.versionId)) continue;
      const cure = registry.findFor(version) === null ? "no worker here has that version" : "the workers are busy";
      const message = `runs of ${identityText(version)} are due and not executed, the oldest for ${formatDuration(overdueMs)}: ${cure}.`;
      log({ level: "warn", message, fields: { version: identityText(version), overdueMs } });
    }
    watch.overdue = new Set(overdue.map(({ version }) => version.versionId));
  } catch (error) {
    log({ level: "warn", message: `overdue runs could not be looked for: ${String(error)}` });
  }
}
