/**
 * Theatre: where operations meet. Two at the same moment must leave what one after the other leaves, in one order or the other,
 * and be told what they would be told then.
 *
 * The first is begun and held up at a pause, the second is begun and goes on for as far as it can, then the first is let
 * go. What stands in all tables afterwards, and both answers, are compared with every order in which the operations'
 * transactions could have come one after the other. Orders are played in the same database.
 *
 * A claim passes over what is locked. So it may have taken less than in any order: exactly the runs less that the other
 * operation changes, or that the pause holds.
 */
import type { Call, Operation } from "./operations.ts";
import type { Hold, Pause } from "./pauses.ts";
import type { Store } from "../../../../src/store/store.ts";
import { type Dump, dump, restore, type Stage, tellAnswer } from "./stage.ts";

/** One meeting. */
export type Meeting = { readonly first: Operation; readonly second: Operation; readonly pause: Pause };

/** `apart`: the first was not held up, so the two did not meet. */
export type Verdict =
  | { readonly kind: "apart" }
  | { readonly kind: "agrees" }
  | { readonly kind: "diverges"; readonly what: string };

/** What came of two operations: what each was told, and what stands in the tables. */
type Outcome = {
  readonly answers: readonly [string, string];
  readonly dump: Dump;
  readonly taken: readonly [Names, Names];
};

type Names = readonly string[];

/** Which runs each operation finds locked, if it is a claim. */
type Locked = readonly [Names, Names];

/** Plays meetings on a stage. */
export type Theatre = { readonly play: (meeting: Meeting) => Promise<Verdict> };

/** As a failure tells it. */
export function nameOf({ first, second, pause }: Meeting): string {
  return `${first.name} × ${second.name} @ ${pause.name}`;
}

/** See the header. */
export function openTheatre(stage: Stage): Theatre {
  const places = new Map<string, boolean>();
  const changedBy = remembered((operation: Operation) => playAlone(stage, operation));
  let latest: { readonly name: string; readonly orders: readonly Outcome[] } = { name: "", orders: [] };
  const ordersOf = async (first: Operation, second: Operation): Promise<readonly Outcome[]> => {
    const name = `${first.name} × ${second.name}`;
    if (latest.name !== name) latest = { name, orders: await playOrders(stage, [first, second], [[], []]) };
    return latest.orders;
  };
  const play = async ({ first, second, pause }: Meeting): Promise<Verdict> => {
    const place = `${first.name} @ ${pause.name}`;
    if (places.get(place) === false) return { kind: "apart" };
    const outcome = await meet(stage, { first, second, pause });
    places.set(place, outcome !== null);
    if (outcome === null) return { kind: "apart" };
    const orders = await ordersOf(first, second);
    if (orders.some((order) => equals(order, outcome))) return { kind: "agrees" };
    if (!first.claims && !second.claims) return { kind: "diverges", what: tell(outcome, orders) };
    const held = pause.run === null ? [] : [pause.run];
    const [byFirst, bySecond] = [await changedBy(first), await changedBy(second)];
    const passed: Locked = [
      [...held, ...bySecond].filter((run) => !outcome.taken[0].includes(run)),
      [...held, ...byFirst].filter((run) => !outcome.taken[1].includes(run)),
    ];
    const less = await playOrders(stage, [first, second], passed);
    if (less.some((order) => equals(order, outcome))) return { kind: "agrees" };
    return { kind: "diverges", what: tell(outcome, [...orders, ...less]) };
  };
  return { play };
}

function remembered<Key, Value>(find: (key: Key) => Promise<Value>): (key: Key) => Promise<Value> {
  const known = new Map<Key, Promise<Value>>();
  return (key) => {
    const found = known.get(key) ?? find(key);
    known.set(key, found);
    return found;
  };
}

/** An operation under way. */
type Act = { readonly ended: Promise<readonly unknown[]>; readonly hasEnded: () => boolean };

function begin({ calls }: Operation, { store }: Stage["seats"][number]): Act {
  let hasEnded = false;
  const ended = callAll(calls, store).finally(() => (hasEnded = true));
  return { ended, hasEnded: () => hasEnded };
}

/** What the calls answered; an error is the last answer. */
async function callAll(calls: readonly Call[], store: Store): Promise<readonly unknown[]> {
  const answers: unknown[] = [];
  try {
    for (const call of calls) answers.push(await call(store));
  } catch (error) {
    answers.push(error);
  }
  return answers.flat();
}

/** Null: nothing held the first one up. */
async function meet(stage: Stage, { first, second, pause }: Meeting): Promise<Outcome | null> {
  await restore(stage);
  const hold = await pause.hold(stage);
  const acts: Act[] = [];
  try {
    acts.push(begin(first, stage.seats[0]));
    if (!(await isHeldUp(stage, 0, acts[0]!, hold))) return null;
    acts.push(begin(second, stage.seats[1]));
    await isHeldUp(stage, 1, acts[1]!, hold);
  } finally {
    await hold.release();
    await Promise.all(acts.map(({ ended }) => ended));
  }
  return toOutcome(stage, [await acts[0]!.ended, await acts[1]!.ended]);
}

const WAITS = `SELECT FROM pg_stat_activity
  WHERE datname = current_database() AND application_name LIKE $1 AND wait_event_type = 'Lock'`;

/** Until it has ended or goes no further. */
async function isHeldUp({ control, seats }: Stage, place: 0 | 1, act: Act, hold: Hold): Promise<boolean> {
  const { application } = seats[place];
  while (!act.hasEnded()) {
    if (place === 0 && hold.reached()) return true;
    const { rowCount } = await control.query({ name: "waits", text: WAITS, values: [`${application}%`] });
    if ((rowCount ?? 0) > 0) return !act.hasEnded();
  }
  return false;
}

async function toOutcome(stage: Stage, answers: readonly [unknown, unknown]): Promise<Outcome> {
  const state = await dump(stage);
  return {
    answers: [tellAnswer(answers[0], state), tellAnswer(answers[1], state)],
    dump: state,
    taken: [takenIn(answers[0], state), takenIn(answers[1], state)],
  };
}

/** The runs of an answer to a claim. */
function takenIn(answer: unknown, { names }: Dump): Names {
  if (!Array.isArray(answer)) return [];
  return answer.flatMap((one: unknown) => {
    const run = typeof one === "object" && one !== null && "run" in one ? (one.run as { rowId?: unknown }) : {};
    return names.get(`runs ${String(run.rowId)}`) ?? [];
  });
}

function equals(one: Outcome, other: Outcome): boolean {
  return JSON.stringify([one.answers, one.dump.lines]) === JSON.stringify([other.answers, other.dump.lines]);
}

async function playOrders(stage: Stage, operations: Pair, locked: Locked): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const one of waysOf(operations[0])) {
    for (const other of waysOf(operations[1])) {
      for (const order of mergesOf(one.length, other.length)) {
        outcomes.push(await playOrder(stage, operations, { ways: [one, other], order, locked }));
      }
    }
  }
  return outcomes;
}

type Pair = readonly [Operation, Operation];

/** As it is called, and in its parts. */
function waysOf({ calls, parts }: Operation): readonly (readonly Call[])[] {
  return parts === calls ? [calls] : [calls, parts];
}

/** Every way to put `first` zeros and `second` ones in a row. */
function mergesOf(first: number, second: number): readonly (readonly (0 | 1)[])[] {
  if (first === 0) return [Array.from({ length: second }, () => 1 as const)];
  if (second === 0) return [Array.from({ length: first }, () => 0 as const)];
  return [
    ...mergesOf(first - 1, second).map((rest) => [0 as const, ...rest]),
    ...mergesOf(first, second - 1).map((rest) => [1 as const, ...rest]),
  ];
}

/** `order`: whose turn it is, the first one's (0) or the second one's. */
type Order = {
  readonly ways: readonly [readonly Call[], readonly Call[]];
  readonly order: readonly (0 | 1)[];
  readonly locked: Locked;
};

const LOCK = "SELECT FROM runs WHERE public_id = ANY ($1) FOR UPDATE";

async function playOrder(stage: Stage, operations: Pair, { ways, order, locked }: Order): Promise<Outcome> {
  await restore(stage);
  const answers: readonly [unknown[], unknown[]] = [[], []];
  const calls = ways.map((way) => way.values());
  for (const place of order) {
    const call = calls[place]!.next().value!;
    const unlock = operations[place].claims ? await lock(stage, locked[place]) : null;
    answers[place].push(await call(stage.seats[place].store));
    await unlock?.();
  }
  return toOutcome(stage, [answers[0].flat(), answers[1].flat()]);
}

async function lock({ holder }: Stage, runs: Names): Promise<() => Promise<unknown>> {
  await holder.query("BEGIN");
  await holder.query(LOCK, [runs]);
  return () => holder.query("ROLLBACK");
}

/** The runs that an operation changes, by itself. */
async function playAlone(stage: Stage, { calls }: Operation): Promise<Names> {
  await restore(stage);
  const before = await dump(stage);
  for (const call of calls) await call(stage.seats[0].store);
  const after = await dump(stage);
  return [...after.runs].flatMap(([name, line]) => (before.runs.get(name) === line ? [] : [name]));
}

/** The outcome, beside the order that comes nearest. */
function tell(outcome: Outcome, orders: readonly Outcome[]): string {
  const differences = orders.map((order) => difference(outcome, order));
  const nearest = differences.toSorted((one, other) => one.length - other.length)[0]!;
  return nearest.join("\n");
}

function difference(outcome: Outcome, order: Outcome): readonly string[] {
  const answers = ["first", "second"].flatMap((who, place) => {
    const [got, wanted] = [outcome.answers[place]!, order.answers[place]!];
    return got === wanted ? [`  ${who} was told ${got}`] : [`- ${who} was told ${wanted}`, `+ ${who} was told ${got}`];
  });
  const { lines } = outcome.dump;
  return [
    ...answers,
    ...order.dump.lines.filter((line) => !lines.includes(line)).map((line) => `- ${line}`),
    ...lines.filter((line) => !order.dump.lines.includes(line)).map((line) => `+ ${line}`),
  ];
}
