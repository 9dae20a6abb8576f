/**
 * Invariants of transactions.
 */
import { decode } from "../../model/json.ts";
import type { Checkpoint } from "../../model/step.ts";
import type { Case, Finding, Invariant } from "./case.ts";
import { runText, type UserRow } from "./evidence.ts";
import { BANKED_PREFIX, bankedRunId } from "./scribe.ts";

const TOGETHER: Invariant = {
  id: "I35",
  title: "a transaction's rows and its checkpoint are stored together, once, or not at all (P4)",
  check: (c) => [...checkpointsOf(c).flatMap((one) => unlike(c, one)), ...orphans(c)],
};

const STARTED: Invariant = {
  id: "I36",
  title: "a run that a transaction starts exists if and only if the transaction has committed (P4)",
  check: (c) => {
    const wanted = c.evidence.rows.filter(({ part }) => part === WITH_RUN).map(startedBy);
    const found = c.evidence.stories.map(({ run }) => run.id).filter((id) => id.startsWith(BANKED_PREFIX));
    return [
      ...wanted.filter((id) => !found.includes(id)).map((id) => ({ run: null, what: `there is no run "${id}"` })),
      ...found.filter((id) => !wanted.includes(id)).map((id) => ({ run: null, what: `"${id}" was never committed` })),
    ];
  },
};

/** `part` of a row that was written with a run. */
const WITH_RUN = 3;

function startedBy({ run, key }: UserRow): string {
  return bankedRunId(run.slice(run.indexOf(" ") + 1), key);
}

/** See the header. */
export const TX_INVARIANTS: readonly Invariant[] = [TOGETHER, STARTED];

type TxCheckpoint = { readonly run: string; readonly checkpoint: Checkpoint };

function checkpointsOf({ evidence }: Case): readonly TxCheckpoint[] {
  return evidence.stories.flatMap(({ run, memory }) =>
    memory.checkpoints.filter(({ kind }) => kind === "tx").map((checkpoint) => ({ run: runText(run), checkpoint })),
  );
}

/** The code writes a row when it begins and one before it ends, and returns the number of its execution. */
function unlike(c: Case, { run, checkpoint }: TxCheckpoint): readonly Finding[] {
  const { key, outcome, value } = checkpoint;
  const rows = c.evidence.rows.filter((row) => row.run === run && row.key === key);
  const wanted = outcome === "completed" ? [`1#${executionOf(value)}`, `2#${executionOf(value)}`] : [];
  const found = rows.filter(({ part }) => part !== WITH_RUN).map(({ part, execution }) => `${part}#${execution}`);
  if (found.join() === wanted.join()) return [];
  return [{ run, what: `"${key}" is ${outcome} as ${value}, with the rows ${found.join(" ") || "none"}` }];
}

function executionOf(value: string): string {
  const text = String(decode(value));
  return text.slice(text.lastIndexOf("#") + 1);
}

function orphans(c: Case): readonly Finding[] {
  const known = new Set(checkpointsOf(c).map(({ run, checkpoint }) => nameOf({ run, key: checkpoint.key })));
  return c.evidence.rows
    .filter((row) => !known.has(nameOf(row)))
    .map(({ run, key, execution }) => ({
      run,
      what: `"${key}" has a row of execution ${execution} and no checkpoint`,
    }));
}

function nameOf({ run, key }: Pick<UserRow, "run" | "key">): string {
  return `${run} ${key}`;
}
