/**
 * Case: the evidence, indexed once for all invariants, and what an invariant is.
 */
import { decode } from "../../model/json.ts";
import { parseFailure } from "../../model/failure.ts";
import type { Checkpoint } from "../../model/step.ts";
import { type Evidence, type Request, runText, type Story, type WitnessEvent } from "./evidence.ts";
import { setApart } from "./lives.ts";
import { type Accepted, type Ledger, readLedger, type Taking } from "./ledger.ts";

/** Something that must not happen, and did. `run` null: it concerns no single run. */
export type Finding = { readonly run: string | null; readonly what: string };

/** One numbered rule; `check` is pure. */
export type Invariant = {
  readonly id: string;
  /** A sentence that is true of a correct engine. */
  readonly title: string;
  readonly check: (c: Case) => readonly Finding[];
};

/** One start of step code, with the taking under which it happened; null: none that the records know. */
export type Execution = {
  readonly start: WitnessEvent & { readonly kind: "start" };
  readonly end: (WitnessEvent & { readonly kind: "end" }) | null;
  readonly rowId: number;
  readonly taking: Taking | null;
};

/** See the header. */
export type Case = {
  /** About runs with one life; so is all below, but the next two. */
  readonly evidence: Evidence;
  /** About all runs. */
  readonly all: Evidence;
  /** Runs with several lives, see lives.ts. */
  readonly reopened: readonly Story[];
  readonly ledger: Ledger;
  readonly storyOf: ReadonlyMap<string, Story>;
  readonly nameOf: (rowId: number | null) => string | null;
  /** Executions by run and key, in order; compensations under {@link undoKey}. */
  readonly executions: ReadonlyMap<string, readonly Execution[]>;
  readonly acceptedOf: (run: string, key: string) => Accepted<{ readonly checkpoint: Checkpoint }> | null;
  readonly requestsOf: <K extends Request["kind"]>(kind: K) => readonly (Request & { readonly kind: K })[];
};

/** Index the evidence. */
export function openCase(all: Evidence): Case {
  const { others: evidence, reopened } = setApart(all);
  const ledger = readLedger(evidence.records);
  const storyOf = new Map(evidence.stories.map((story) => [runText(story.run), story]));
  const names = new Map(evidence.stories.map((story) => [story.run.rowId, runText(story.run)]));
  const nameOf = (rowId: number | null): string | null => (rowId === null ? null : (names.get(rowId) ?? null));
  const accepted = new Map(ledger.checkpoints.map((one) => [`${nameOf(one.rowId)} ${one.entry.checkpoint.key}`, one]));
  return {
    evidence,
    all,
    reopened,
    ledger,
    storyOf,
    nameOf,
    executions: readExecutions(evidence, ledger, storyOf),
    acceptedOf: (run, key) => accepted.get(`${run} ${key}`) ?? null,
    requestsOf: (kind) => evidence.requests.filter((request) => request.kind === kind) as never,
  };
}

/** Whether a clock that shows `atMs` proves that `dueAtMs` had not come, also to one who saw it before it was set back. */
export function isEarly(c: Case, atMs: number, dueAtMs: number): boolean {
  return atMs + c.evidence.setBackMs < dueAtMs;
}

/** Key under which the engine records the compensation of a step. */
export function undoKey(key: string): string {
  return `@compensate/${key}`;
}

/** What a body gets from a checkpoint, as JSON: its value, or the message of its failure. */
export function observedValue(checkpoint: Pick<Checkpoint, "outcome" | "value">): string {
  const failed = checkpoint.outcome === "failed" || checkpoint.outcome === "cancelled";
  return failed ? JSON.stringify(parseFailure(checkpoint.value).message) : toJson(decode(checkpoint.value));
}

/** JSON with `undefined` as a text of its own, so that it differs from null. */
export function toJson(value: unknown): string {
  return value === undefined ? "undefined" : JSON.stringify(value);
}

function readExecutions(
  evidence: Evidence,
  ledger: Ledger,
  storyOf: ReadonlyMap<string, Story>,
): Map<string, Execution[]> {
  const ends = new Map<number, WitnessEvent & { readonly kind: "end" }>();
  for (const event of evidence.witness) if (event.kind === "end") ends.set(event.execution, event);
  const takings = Map.groupBy(ledger.takings, (taking) => `${taking.process} ${taking.rowId}`);
  const executions = new Map<string, Execution[]>();
  for (const start of evidence.witness) {
    if (start.kind !== "start") continue;
    const rowId = storyOf.get(start.run)?.run.rowId ?? -1;
    const name = `${start.run} ${start.undo ? undoKey(start.key) : start.key}`;
    const list = executions.get(name) ?? [];
    const known = takings
      .get(`${start.process} ${rowId}`)
      ?.filter((one) => one.knownAt !== null && one.knownAt < start.at);
    list.push({ start, end: ends.get(start.execution) ?? null, rowId, taking: known?.at(-1) ?? null });
    executions.set(name, list);
  }
  return executions;
}
