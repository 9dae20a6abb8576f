/**
 * Shapes of transactions: rows of the user's that must stand beside their checkpoints, one to one, whatever befell.
 */
import type { Ctx, Workflow } from "../../engine/workflow.ts";
import type { TxDoor } from "../../store/tx.ts";
import type { Store } from "../../store/store.ts";
import { PLAIN, type ShapeInput, SOUND, step } from "./behaviour.ts";
import type { UserRow } from "./evidence.ts";
import type { Behaviour, Scribe } from "./scribe.ts";

type FindChild = (name: string) => Workflow<ShapeInput, unknown>;

/** Without a delay of its own, which only the witness log tells of. */
const SHAKY: Behaviour = { error: 0.3 };
const ROTTEN: Behaviour = { error: 0.45, permanent: 0.15 };

/** Transactions after one another, beside one another, beside steps, and in a race. */
export async function banked(ctx: Ctx, input: ShapeInput, s: Scribe, child: FindChild): Promise<unknown> {
  const code = (behaviour: Behaviour) => s.bank(behaviour, child("sequence"));
  const bank = (name: string, behaviour: Behaviour = SHAKY): Promise<string> =>
    s.see(name, ctx.tx(name, code(behaviour)).retry(PLAIN));
  for (let index = 0; index < input.size; index += 1) await bank(`deposit-${index}`);
  const order: string[] = [];
  const beside = [
    bank("left", SOUND),
    step(ctx, s, "middle", SOUND),
    bank("right", SOUND),
    step(ctx, s, "edge", SOUND),
  ];
  await Promise.all(beside.map((one) => one.then((value) => order.push(value.slice(0, value.indexOf("#"))))));
  await step(ctx, s, `order-${order.join("-")}`, SOUND);
  const rotten = await ctx.tx("rotten", code(ROTTEN)).retry(PLAIN).settle();
  if (input.salt % 2 === 0) await s.see("rest", ctx.sleep("rest", 400 + input.salt * 100));
  const contenders = { paid: ctx.tx("paid", code(SOUND)), patience: ctx.sleep("patience", 20 + input.salt * 20) };
  const { winner } = await s.see("first", ctx.race("first", contenders));
  await bank(`closed-by-${winner}`);
  return [rotten.ok, winner];
}

const TABLE =
  "CREATE TABLE banked (run TEXT NOT NULL, key TEXT NOT NULL, part INTEGER NOT NULL, execution INTEGER NOT NULL)";

/** The table of the user's, before anything happens. */
export async function openBank(store: Store): Promise<void> {
  await alone(store, (door) => door.execute(TABLE, []));
}

/** All rows, when everything has happened. */
export async function readBank(store: Store): Promise<readonly UserRow[]> {
  let rows: readonly UserRow[] = [];
  await alone(store, async (door) => {
    const found = await door.query("SELECT run, key, part, execution FROM banked ORDER BY rowid", []);
    rows = found.map((row) => ({ ...row }) as UserRow);
  });
  return rows;
}

async function alone(store: Store, work: (door: TxDoor) => Promise<unknown>): Promise<void> {
  await store.transact({ owner: null, doubt: null, limitMs: 1_000, nowMs: 0 }, async (door) => {
    await work(door);
    return { commit: true, checkpoint: null };
  });
}
