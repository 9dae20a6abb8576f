/**
 * Pauses: where an operation can be held up while others go on. At a row that somebody has locked, at a row that somebody
 * inserts and does not commit, or between two of its own statements.
 */
import pg from "pg";
import { sqlState } from "../../../../src/store/postgres/faults.ts";
import type { Stage } from "./stage.ts";

/** A place at which an operation of the first seat may be held up. */
export type Pause = {
  readonly name: string;
  /** The run whose row is locked: claims pass it over. */
  readonly run: string | null;
  /** Begin to hold; the result lets go. */
  readonly hold: (stage: Stage) => Promise<Hold>;
};

/** `reached`: somebody is held up between two statements; who waits for a lock is told by the server. */
export type Hold = { readonly reached: () => boolean; readonly release: () => Promise<void> };

const WORKERS = ["A", "B", "C"];

const RUNS = [
  ...["run", "heard", "undoing", "child", "parent", "grandchild", "orphan", "parked", "paused"],
  ...["due", "timed", "suspect"],
];

/** Rows that others insert as well, by what they are. */
const INSERTED: Readonly<Record<string, string>> = {
  "a step": `INSERT INTO steps (run_id, seq, generation, at_ms, duration_ms, attempt, compensable, kind, outcome, key, value)
    SELECT id, 9, 1, 0, 0, 1, false, 'step', 'completed', 'next', '1' FROM runs WHERE public_id = 'run'`,
  "an attempt": `INSERT INTO attempts (run_id, key, generation, attempt, seq, kind, state, at_ms, duration_ms)
    SELECT id, 'next', 1, 1, 9, 'step', 'failed', 0, 0 FROM runs WHERE public_id = 'run'`,
  "a note": `INSERT INTO notes (run_id, seq, kind, at_ms, value)
    SELECT id, 5, 'log', 0, '1' FROM runs WHERE public_id = 'run'`,
  "an item": `INSERT INTO inbox (run_id, seq, kind, name, actor, operation_id, at_ms, payload)
    SELECT id, 9, 'signal', 'go', 'kim', 'op', 0, '1' FROM runs WHERE public_id = 'run'`,
  "an attribute": `INSERT INTO attributes (name, value, run_id) SELECT 'tier', '"gold"', id FROM runs WHERE public_id = 'run'`,
  "a run": `INSERT INTO runs (workflow_id, version_id, public_id, state, created_at_ms, seed, actor, input)
    SELECT workflow_id, version_id, name, 'pending', 0, 1, 'kim', '1'
    FROM runs CROSS JOIN (VALUES ('new'), ('spawned')) AS fresh (name) WHERE public_id = 'run'`,
  "a breaker": `INSERT INTO breakers (name, revision, epoch, since_ms, failures) VALUES ('fresh', 1, 1, 0, '[]')`,
  "a version": `WITH fresh AS (INSERT INTO workflows (namespace, name) VALUES ('test', 'other') RETURNING id)
    INSERT INTO versions (workflow_id, version) SELECT id, '2.0.0' FROM fresh`,
};

/** Statements of one operation at most, the first one aside, before which it can be held up. */
const STATEMENTS_MAX = 4;

/** All of them. */
export const PAUSES: readonly Pause[] = [
  ...WORKERS.map((name) => lockedRow(`worker ${name}`, null, `SELECT FROM workers WHERE name = '${name}' FOR UPDATE`)),
  ...RUNS.map((name) => lockedRow(`run ${name}`, name, `SELECT FROM runs WHERE public_id = '${name}' FOR UPDATE`)),
  lockedRow("the breaker", null, "SELECT FROM breakers FOR UPDATE"),
  ...Object.entries(INSERTED).map(([name, sql]) => lockedRow(`${name} that is being inserted`, null, sql)),
  ...Array.from({ length: STATEMENTS_MAX - 1 }, (_, index) => beforeStatement(index + 2)),
];

function lockedRow(name: string, run: string | null, sql: string): Pause {
  return {
    name,
    run,
    hold: async ({ holder }) => {
      await holder.query(`BEGIN; ${sql}`);
      return { reached: () => false, release: async () => void (await holder.query("ROLLBACK")) };
    },
  };
}

function beforeStatement(place: number): Pause {
  return {
    name: `statement ${place}`,
    run: null,
    hold: ({ seats }) => {
      let sent = 0;
      let reached = false;
      const { promise, resolve } = Promise.withResolvers<void>();
      gates.set(seats[0].application, () => {
        sent += 1;
        if (sent !== place) return null;
        reached = true;
        return promise;
      });
      const release = (): Promise<void> => {
        gates.delete(seats[0].application);
        resolve();
        return Promise.resolve();
      };
      return Promise.resolve({ reached: () => reached, release });
    },
  };
}

/** Asked before each statement of an application: what to wait for. */
const gates = new Map<string, () => Promise<void> | null>();

/** What the driver has been seen to do. */
export type Watch = {
  /** How often the server has found statements waiting for each other. */
  readonly deadlocks: () => number;
  readonly stop: () => void;
};

/** Let statements be held up between two of one operation, and count deadlocks. The driver has no other place for it. */
export function watchDriver(): Watch {
  const prototype = pg.Client.prototype as unknown as { query: Query };
  const { query } = prototype;
  let deadlocks = 0;
  const watched: Query = function watched(...args) {
    const application = this.connectionParameters.application_name ?? "";
    const wait = gates.get(application.split(" ")[0]!)?.() ?? null;
    const answer = wait === null ? query.apply(this, args) : wait.then(() => query.apply(this, args));
    if (answer instanceof Promise) answer.catch((error: unknown) => (deadlocks += sqlState(error) === "40P01" ? 1 : 0));
    return answer;
  };
  prototype.query = watched;
  return { deadlocks: () => deadlocks, stop: () => void (prototype.query = query) };
}

type Query = (this: Named, ...args: unknown[]) => unknown;
type Named = { readonly connectionParameters: { readonly application_name?: string } };
