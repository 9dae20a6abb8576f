/**
 * Run: one is inserted, claimed or due; what it remembers; and which have ended.
 */
import { StepwellError } from "../../model/errors.ts";
import type { Checkpoint } from "../../model/step.ts";
import { type Identity, isTerminal, type NewRun, type Run } from "../../model/run.ts";
import type { EndedRun, Forked, Memory, Version } from "../../store/store.ts";
import type { Write, WriteResult } from "../../store/write.ts";
import { type Batch, checkTexts, findStanding, isAlive, STALE } from "./batch.ts";
import { undoneOf } from "./reopen.ts";
import { allRuns, findBook, lastSeqOf, type Past, putBook, type World } from "./world.ts";

/** Find or add a version. */
export function ensureVersion({ versions }: World, { namespace, name, version }: Identity): Version {
  const known = versions.find((one) => one.namespace === namespace && one.name === name && one.version === version);
  if (known !== undefined) return known;
  const added = { namespace, name, version, versionId: versions.length + 1 };
  versions.push(added);
  return added;
}

/** One run per name. A child is started by who holds its parent; who gave the parent up may ask for it again (S5). */
export function insertRun(batch: Batch, write: Extract<Write, { kind: "insert_run" }>): WriteResult {
  const { world, nowMs } = batch;
  const { run, claimFor, owner } = write;
  const version = world.versions.find(({ versionId }) => versionId === run.versionId);
  if (version === undefined) throw new StepwellError("STORE_WRITE_REFUSED", `there is no version ${run.versionId}`);
  const existing = findBook(world, { ...version, id: run.id });
  const standing = owner === null ? null : findStanding(world, owner);
  if (owner !== null && standing === null) return STALE;
  if (standing?.held === false && existing === null) return STALE;
  checkTexts({ id: run.id, input: run.input, actor: run.actor });
  if (existing !== null) return { kind: "exists", run: existing.run };
  const holder = claimFor !== null && isAlive(world, claimFor) ? claimFor : null;
  const rowId = world.books.size + 1;
  const inserted = newRun(run, version, { rowId, holder, nowMs });
  putBook(world, { run: inserted, steps: [], attempts: [], past: NO_PAST, inbox: [], notes: [], approvals: [] });
  return { kind: "inserted", atMs: nowMs, rowId, claimed: holder !== null };
}

const NO_PAST: Past = { steps: [], attempts: [] };

/** Due now, with a past of its own; or the run that has its name. */
export function insertForked(world: World, run: NewRun, past: readonly Checkpoint[], nowMs: number): Forked {
  const write = { kind: "insert_run", run, claimFor: null, owner: null } as const;
  const result = insertRun({ world, nowMs }, write) as Forked;
  if (result.kind === "exists") return result;
  const book = world.books.get(result.rowId)!;
  const historySeq = past.at(-1)?.seq ?? 1;
  const steps = past.map((checkpoint) => ({ ...checkpoint, atMs: nowMs }));
  putBook(world, { ...book, run: { ...book.run, historySeq }, steps });
  return result;
}

type Birth = { readonly rowId: number; readonly holder: number | null; readonly nowMs: number };

function newRun(run: NewRun, version: Version, { rowId, holder, nowMs }: Birth): Run {
  const { timeoutMs, ...told } = run;
  return {
    ...told,
    ...version,
    rowId,
    state: holder === null ? "pending" : "running",
    workerId: holder,
    fence: holder === null ? 0 : 1,
    dueAtMs: holder === null ? nowMs : null,
    createdAtMs: nowMs,
    deadlineAtMs: timeoutMs === null ? null : Math.ceil(nowMs + timeoutMs),
    endedAtMs: null,
    output: null,
    error: null,
    onHold: false,
    ending: null,
    generation: 1,
    crashes: 0,
    inboxSeq: 0,
    historySeq: 1,
    waitingFor: [],
    progress: null,
    attributes: {},
  };
}

/** RUN_NOT_FOUND when there is no such row. */
export function loadMemory({ books }: World, rowId: number): Memory {
  const book = books.get(rowId);
  if (book === undefined) throw new StepwellError("RUN_NOT_FOUND", `there is no run of row ${rowId}`);
  return {
    checkpoints: bySeq(book.steps).map(({ atMs: _, ...checkpoint }) => checkpoint),
    attempts: bySeq(book.attempts).map(({ atMs: _, beganFence: _fence, ...attempt }) => attempt),
    inbox: book.inbox
      .filter((item) => item.consumedSeq === null)
      .map(({ operationId: _, consumedSeq: _seq, ...item }) => item),
    undone: undoneOf(book),
    lastSeq: lastSeqOf(book),
    inboxSeq: book.run.inboxSeq,
  };
}

/** Those of the given runs that have ended. */
export function listEnded(world: World, rowIds: readonly number[]): readonly EndedRun[] {
  const asked = new Set(rowIds);
  return allRuns(world).flatMap(({ rowId, state, output, error }) =>
    asked.has(rowId) && isTerminal(state) ? [{ rowId, ending: { state, value: output ?? error ?? "null" } }] : [],
  );
}

function bySeq<T extends { readonly seq: number }>(list: readonly T[]): readonly T[] {
  return list.toSorted((a, b) => a.seq - b.seq);
}
