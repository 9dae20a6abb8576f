/**
 * Ledger: what really happened in the world, counted from its effects. The truth that
 * a run's own history is held against.
 */
import type { StockChange } from "../clients.ts";
import type { Cents } from "../money.ts";
import type { World } from "./world.ts";

/**
 * How often each effect happened. `voids` are keys closed, with or without a charge behind them; releases and
 * cancellations count only where there was something to take back.
 */
export type Effects = {
  readonly charges: number;
  readonly refunds: number;
  readonly voids: number;
  readonly reservations: number;
  readonly releases: number;
  readonly orders: number;
  readonly cancellations: number;
  readonly emails: number;
};

/** Nothing happened. */
export const NO_EFFECTS: Effects = {
  charges: 0,
  refunds: 0,
  voids: 0,
  reservations: 0,
  releases: 0,
  orders: 0,
  cancellations: 0,
  emails: 0,
};

const EFFECT_OF: Readonly<Record<string, keyof Effects>> = {
  charge: "charges",
  refund: "refunds",
  void: "voids",
  reserve: "reservations",
  release: "releases",
  insert: "orders",
  cancel: "cancellations",
  send: "emails",
};

/** Effects about one order; of all orders when `reference` is left out. */
export function countEffects(world: World, reference?: string): Effects {
  const rows = world.db
    .prepare(
      `SELECT operation, count(*) AS n FROM effects
       WHERE coalesce(?, reference) = reference AND coalesce(result ->> 'had_held', result ->> 'had_order', 1) = 1
       GROUP BY operation`,
    )
    .all(reference ?? null);
  const counted: Record<keyof Effects, number> = { ...NO_EFFECTS };
  for (const row of rows) {
    const effect = EFFECT_OF[row.operation as string];
    if (effect !== undefined) counted[effect] += row.n as number;
  }
  return counted;
}

/** Money that stayed with GrowthCorp: charges less refunds, per gateway that moved any. */
export function sumMoney(world: World, reference?: string): Readonly<Record<string, Cents>> {
  const rows = world.db
    .prepare(
      `SELECT service, sum(iif(operation = 'charge', result ->> 'amount', -(result ->> 'amount'))) AS net
       FROM effects
       WHERE operation IN ('charge', 'refund') AND coalesce(?, reference) = reference
       GROUP BY service`,
    )
    .all(reference ?? null);
  return Object.fromEntries(rows.map((row) => [row.service as string, row.net as Cents]));
}

/** One call of the log. `code` null: the caller never heard an answer. */
export type LoggedCall = {
  readonly service: string;
  readonly operation: string;
  readonly key: string;
  readonly reference: string;
  readonly code: string | null;
  readonly replayed: boolean;
};

/** The log, oldest first. */
export function listCalls(world: World, reference?: string): readonly LoggedCall[] {
  const rows = world.db
    .prepare(
      `SELECT service, operation, key, reference, code, coalesce(replayed, 0) AS replayed
       FROM calls LEFT JOIN answers ON call_id = calls.id
       WHERE coalesce(?, reference) = reference
       ORDER BY calls.id`,
    )
    .all(reference ?? null);
  return rows.map((row) => ({ ...row, replayed: row.replayed === 1 }) as LoggedCall);
}

/** Pieces on the shelf. */
export function stockOf(world: World, productId: string): number {
  const row = world.db.prepare("SELECT on_hand FROM stock WHERE product_id = ?").get(productId);
  return (row?.on_hand as number | undefined) ?? 0;
}

/** Pieces that came back less those that went, by the effects: what the shelf must have changed by. */
export function sumStockMoves(world: World, productId: string): number {
  const effects = world.db.prepare("SELECT operation, result, request FROM effects WHERE service = 'inventory'").all();
  let moved = 0;
  for (const effect of effects) {
    const result = JSON.parse(effect.result as string) as { changes?: readonly StockChange[]; quantity?: number };
    for (const change of result.changes ?? []) if (change.product_id === productId) moved += change.to - change.from;
    const request = JSON.parse(effect.request as string) as { product_id?: string };
    if (effect.operation === "sell_elsewhere" && request.product_id === productId) moved -= result.quantity ?? 0;
  }
  return moved;
}
