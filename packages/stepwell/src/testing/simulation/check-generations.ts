/**
 * Invariants of runs that went on after their end.
 */
import { isTerminal } from "../../model/run.ts";
import type { Checkpoint } from "../../model/step.ts";
import type { Case, Finding, Invariant } from "./case.ts";
import { wronglyUndone } from "./check-compensation.ts";
import { runText, type Story, type StoreRecord } from "./evidence.ts";

/** See the header. */
export const GENERATION_INVARIANTS: readonly Invariant[] = [
  {
    id: "I50",
    title: "a run that goes on ends once per generation, and its history is numbered without gaps",
    check: (c) => c.reopened.flatMap((story) => [...wronglyEnded(story), ...wronglyNumbered(story)]),
  },
  {
    id: "I51",
    title: "what a generation takes over is not performed again, and never changes",
    check: (c) => c.reopened.flatMap((story) => [...performedAgain(c, story), ...changed(c, story)]),
  },
  {
    id: "I52",
    title: "a retry that was acknowledged is in the history, once",
    check: lostRetries,
  },
  {
    id: "I53",
    title: "in its last generation a run undoes what a run with one life would",
    check: (c) => c.reopened.flatMap(wronglyUndone),
  },
];

function wronglyEnded({ run, history }: Story): Finding[] {
  const ends = history.filter(({ kind }) => kind === "ended").length;
  const retries = history.filter((event) => event.kind === "note" && event.note === "retried").length;
  const wanted = isTerminal(run.state) ? run.generation : run.generation - 1;
  if (ends === wanted && retries === run.generation - 1) return [];
  const what = `${run.state} in generation ${run.generation}, with ${ends} ends and ${retries} retries in its history`;
  return [{ run: runText(run), what }];
}

function wronglyNumbered({ run, history }: Story): Finding[] {
  const numbers = history.flatMap(({ seq }) => (seq === null ? [] : [seq]));
  if (numbers.every((seq, index) => seq === index + 1)) return [];
  return [{ run: runText(run), what: `its history is numbered ${numbers.join(" ")}` }];
}

/** Whoever held the run in the life before may not have noticed yet that it has ended. */
function performedAgain(c: Case, { run }: Story): Finding[] {
  const name = runText(run);
  const claims = c.all.records.filter((record) => record.kind === "claim" && claimsRun(record, run.rowId));
  return takenOver(c, run.rowId).flatMap(({ at: reopenedAt, kept }) =>
    c.all.witness.flatMap(({ run: of, kind, at, process, key, ...event }) => {
      if (of !== name || kind !== "start" || at < reopenedAt || !kept.has(key)) return [];
      if ("undo" in event && event.undo) return [];
      const holds = claims.some(
        (claim) => claim.process === process && claim.at > reopenedAt && claim.knownAt !== null && claim.knownAt < at,
      );
      return holds ? [{ run: name, what: `"${key}" was performed again, although it was taken over` }] : [];
    }),
  );
}

/** What each next life of the run knew from the beginning, until it forgot that itself. */
function takenOver(c: Case, rowId: number): readonly { readonly at: number; readonly kept: ReadonlySet<string> }[] {
  const lives: { readonly at: number; readonly kept: Set<string> }[] = [];
  const known = new Set<string>();
  for (const record of c.all.records) {
    if (record.kind === "flush") for (const key of keysIn(record, rowId)) known.add(key);
    if (record.kind !== "reopen" || !record.reopened) continue;
    const reopened = record.runs.find((one) => one.rowId === rowId);
    if (reopened === undefined) continue;
    for (const key of reopened.reopening.forgotten) {
      known.delete(key);
      for (const { kept } of lives) kept.delete(key);
    }
    lives.push({ at: record.at, kept: new Set(known) });
  }
  return lives;
}

function keysIn(record: StoreRecord & { readonly kind: "flush" }, rowId: number): readonly string[] {
  return record.writes.flatMap((write, index) => {
    const stored = record.results[index]!.kind === "stored";
    return stored && write.kind === "checkpoint" && write.owner.rowId === rowId ? [write.checkpoint.key] : [];
  });
}

function claimsRun(record: StoreRecord & { readonly kind: "claim" }, rowId: number): boolean {
  return record.claims.some(({ run }) => run.rowId === rowId);
}

/** A checkpoint of the last generation is one that was stored, word for word. */
function changed(c: Case, { run, memory }: Story): Finding[] {
  const stored = c.all.records.flatMap((record) =>
    record.kind === "flush"
      ? record.writes.flatMap((write) =>
          write.kind === "checkpoint" && write.owner.rowId === run.rowId ? [checkpointText(write.checkpoint)] : [],
        )
      : [],
  );
  return memory.checkpoints
    .filter((checkpoint) => !stored.includes(checkpointText(checkpoint)))
    .map(({ key }) => ({ run: runText(run), what: `"${key}" is remembered otherwise than it was stored` }));
}

/** Whatever the order of its fields. */
function checkpointText(checkpoint: Checkpoint): string {
  return JSON.stringify(Object.entries(checkpoint).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function lostRetries(c: Case): Finding[] {
  return c.all.requests.flatMap((request) => {
    if (request.kind !== "retry" || request.answeredAt === null) return [];
    const story = c.all.stories.find(({ run }) => runText(run) === request.run);
    const told = (story?.history ?? []).filter(
      (event) =>
        event.kind === "note" &&
        event.note === "retried" &&
        event.value.includes(`"request:retry-${request.generation}"`),
    ).length;
    if (told === 1) return [];
    return [
      { run: request.run, what: `a retry of generation ${request.generation} stands ${told} times in its history` },
    ];
  });
}
