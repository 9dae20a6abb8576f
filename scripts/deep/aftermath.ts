/**
 * Aftermath: what a file of errands must hold after a fault, and after a fresh process has worked on it.
 */
import { existsSync, readFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { openEngine } from "../../packages/stepwell/src/engine/open.ts";
import { type Delivered, ERRAND, errandId, GO, openErrand, ROWS_PER_RUN, type Sight, STEP_KEYS } from "./errand.ts";

/** What a courier was told for certain. */
export type Acknowledged = {
  readonly starts: ReadonlySet<string>;
  readonly signals: ReadonlySet<string>;
  /** With the state that was told. */
  readonly ends: ReadonlyMap<string, string>;
  /** `WHAT CODE`, as often as it happened. */
  readonly refusals: ReadonlyMap<string, number>;
  /** What the engine itself had to report. */
  readonly logs: readonly string[];
};

/** Read the lines that a courier wrote. */
export function parseAcks(text: string): Acknowledged {
  const lines = text.split("\n").map((line) => line.split(" "));
  const of = (kind: string): string[][] => lines.filter(([first]) => first === kind);
  const refusals = new Map<string, number>();
  for (const [, ...rest] of of("refused")) refusals.set(rest.join(" "), (refusals.get(rest.join(" ")) ?? 0) + 1);
  return {
    starts: new Set(of("start").map(([, id]) => id!)),
    signals: new Set(of("signal").map(([, id]) => id!)),
    ends: new Map(of("end").map(([, id, state]) => [id!, state ?? ""])),
    refusals,
    logs: of("log").map(([, ...rest]) => rest.join(" ")),
  };
}

/** The acknowledgements in a file; none where it does not exist. */
export function readAcks(path: string): Acknowledged {
  return parseAcks(existsSync(path) ? readFileSync(path, "utf8") : "");
}

/** Every execution that was witnessed, in the order of the log. */
export function readWitness(path: string): readonly Sight[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, "utf8").split("\n").slice(0, -1);
  return lines.map((line) => JSON.parse(line) as Sight);
}

/** Look at a file as it was left: sound, nothing acknowledged missing, nothing failed. Gives what is wrong. */
export function findLosses(database: string, acks: Acknowledged): readonly string[] {
  const db = new DatabaseSync(database);
  try {
    const sound = db.prepare("PRAGMA quick_check").all();
    if (sound.length !== 1 || sound[0]?.["quick_check"] !== "ok") return [`quick_check: ${JSON.stringify(sound)}`];
    const [states, signalled] = readRuns(db);
    return [
      ...[...acks.starts].filter((id) => !states.has(id)).map((id) => `the acknowledged start of ${id} is lost`),
      ...[...acks.signals].filter((id) => !signalled.has(id)).map((id) => `the acknowledged signal to ${id} is lost`),
      ...[...acks.ends].flatMap(([id, told]) =>
        states.get(id) === told ? [] : [`${id} was told to be ${told} and is ${states.get(id) ?? "not there"}`],
      ),
      ...[...states].flatMap(([id, state]) =>
        ENDED_BADLY.has(state) ? [`${id} is ${state}, for a fault of the disk`] : [],
      ),
    ];
  } finally {
    db.close();
  }
}

/** The states of all runs, and those that were sent a signal. A file that was lost before its first commit has none. */
function readRuns(db: DatabaseSync): readonly [ReadonlyMap<string, string>, ReadonlySet<string>] {
  if (db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'runs'").get() === undefined) return [new Map(), new Set()];
  const runs = db.prepare("SELECT public_id, state FROM runs").all();
  const signalled = db
    .prepare("SELECT DISTINCT public_id FROM inbox JOIN runs ON runs.id = run_id WHERE kind = 'signal'")
    .all();
  return [
    new Map(runs.map((row) => [String(row["public_id"]), String(row["state"])])),
    new Set(signalled.map((row) => String(row["public_id"]))),
  ];
}

const ENDED_BADLY: ReadonlySet<string> = new Set(["failed", "cancelled", "quarantined", "paused"]);

/** Let a fresh engine finish all runs up to `runs`, started or not, and tell what is wrong then. */
export async function finishErrands(database: string, runs: number, witness: Sight[]): Promise<readonly string[]> {
  const errand = openErrand((sight) => witness.push(sight));
  const engine = await openEngine({ store: `sqlite:${database}`, workflows: [errand] });
  const violations: string[] = [];
  const one = async (number: number): Promise<void> => {
    const handle = await engine.start(errand, number, { id: errandId(number) });
    await handle.signal(GO, `go ${number}`, { id: `go-${number}` }).catch(ignoreEnded);
    const outcome = await handle.outcome();
    if (outcome.state !== "completed") violations.push(`${handle.id} ended ${outcome.state}: ${String(outcome.error)}`);
    else violations.push(...compareDelivered(handle.id, outcome.output, witness));
  };
  try {
    await Promise.all(Array.from({ length: runs }, (_, index) => one(index + 1)));
  } finally {
    await engine.close();
  }
  return [...violations, ...findDoubles(database, runs)];
}

/** A signal that was sent to a run before it ended need not be sent again. */
function ignoreEnded(error: unknown): void {
  if ((error as { readonly code?: unknown }).code !== "RUN_ENDED") throw error;
}

/** What the body saw of each step is what some execution of that step gave. */
function compareDelivered(run: string, delivered: Delivered, witness: readonly Sight[]): readonly string[] {
  return STEP_KEYS.flatMap((key) => {
    const nonce = delivered[key];
    const seen = witness.some((sight) => sight.run === run && sight.key === key && sight.nonce === nonce);
    return seen ? [] : [`${run}: the body saw a value of ${key} that no execution gave`];
  });
}

function findDoubles(database: string, runs: number): readonly string[] {
  const db = new DatabaseSync(database);
  const sound = String(db.prepare("PRAGMA quick_check(1)").get()?.["quick_check"]);
  const rows = db
    .prepare(
      "SELECT public_id, count(key) AS n, count(DISTINCT key) AS keys FROM runs LEFT JOIN steps ON run_id = runs.id WHERE public_id LIKE 'errand-%' GROUP BY runs.id",
    )
    .all();
  db.close();
  const counted = rows.map((row) => [String(row["public_id"]), Number(row["n"]), Number(row["keys"])] as const);
  return [
    ...(sound === "ok" ? [] : [`quick_check: ${sound}`]),
    ...(counted.length === runs ? [] : [`there are ${counted.length} runs, not ${runs}, of ${ERRAND}`]),
    ...counted
      .filter(([, rows, keys]) => rows !== ROWS_PER_RUN || keys !== ROWS_PER_RUN)
      .map(([id, rows, keys]) => `${id} has ${rows} checkpoints of ${keys} keys, not ${ROWS_PER_RUN}`),
  ];
}

/** Steps of acknowledged runs that ran more than once although no process had ended in between. */
export function findRepeats(witness: readonly Sight[]): readonly string[] {
  const byStep = Map.groupBy(witness, ({ run, key }) => `${run} ${key}`);
  return [...byStep]
    .filter(([, sights]) => sights.length > 1)
    .map(([step, sights]) => `${step} ran ${sights.length} times`);
}
