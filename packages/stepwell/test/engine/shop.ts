/** Shop: a world whose database holds a table of the user's beside the engine's own, for tests of transactions. */
import { expect } from "vitest";
import { type Ctx, StepwellError, type TxStep, workflow, type Workflow } from "../../src/index.ts";
import type { Store } from "../../src/store/store.ts";
import type { TxDoor, TxVerdict } from "../../src/store/tx.ts";
import { ON_POSTGRES, openWorld, type World } from "./harness.ts";

/** One order; a second of that id is refused by the database. */
export const INSERT = `INSERT INTO orders (id) VALUES (${ON_POSTGRES ? "$1" : "?"})`;

/** A shop, and the ids of its orders as they are stored. */
export type Shop = World & { readonly orders: () => Promise<readonly string[]> };

export async function openShop(): Promise<Shop> {
  const world = await openWorld();
  await alone(world.store, (door) => door.execute("CREATE TABLE orders (id TEXT PRIMARY KEY)", []));
  const orders = async (): Promise<readonly string[]> => {
    const rows = await alone(world.store, (door) => door.query("SELECT id FROM orders ORDER BY id", []));
    return rows.map((row) => String(row["id"]));
  };
  return { ...world, orders };
}

/** A transaction that concerns no run. */
export async function alone<T>(store: Store, work: (door: TxDoor) => Promise<T>): Promise<T> {
  let value: T | undefined;
  const terms = { owner: null, doubt: null, limitMs: 1_000, nowMs: 0 };
  const answer = await store.transact(terms, async (door) => {
    value = await work(door);
    return { commit: true, checkpoint: null };
  });
  expect(answer).toEqual({ kind: "committed" });
  return value!;
}

export function define<O>(body: (ctx: Ctx<void>) => Promise<O>): Workflow<void, O> {
  return workflow("shop/buy", { version: "1.0.0" }, body);
}

/** Step code that stores an order. */
export const order =
  (id: string) =>
  async (tx: TxStep): Promise<string> => {
    await tx.execute(INSERT, [id]);
    return id;
  };

/** What befalls the first transaction that wants to commit a checkpoint. */
export type Mishap = "taken back, and nobody knows" | "committed, and nobody knows" | "not committed";

/** A store on which it befalls. `met` hears of it. */
export function unlucky(mishap: Mishap, met: () => void = () => {}): (store: Store) => Store {
  let left = 1;
  return (store) => ({
    ...store,
    transact: async (terms, work) => {
      let fateful = false;
      const judge = async (door: TxDoor): Promise<TxVerdict> => {
        const verdict = await work(door);
        if (!verdict.commit || verdict.checkpoint === null || left === 0) return verdict;
        left -= 1;
        fateful = true;
        return mishap === "committed, and nobody knows" ? verdict : { commit: false };
      };
      const answer = await store.transact(terms, judge);
      if (!fateful) return answer;
      met();
      if (mishap === "not committed") throw new StepwellError("STORE_FULL", "the disk is full.");
      throw new StepwellError("STORE_OUTCOME_UNKNOWN", "COMMIT failed.");
    },
  });
}

/** The history as `kind key`, its numbers checked. */
export function gapless(history: readonly { readonly seq: number | null; readonly kind: string }[]): readonly string[] {
  expect(history.map(({ seq }) => seq)).toEqual(history.map((_, index) => index + 1));
  return history.map((event) => ("key" in event ? `${event.kind} ${String(event.key)}` : event.kind));
}
