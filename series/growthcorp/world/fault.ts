/**
 * Faults: what is to go wrong, planned ahead and stored in the world's file, so that
 * a fault which has struck has also struck after its caller was killed.
 */
import type { DatabaseSync } from "node:sqlite";

/** The simulated systems. */
export type ServiceName = "gateway-primary" | "gateway-fallback" | "inventory" | "orders" | "mailer";

/** What goes wrong with a call. */
export type Trouble =
  /** Answered with `code`, nothing done. */
  | { readonly kind: "refuse"; readonly code: string; readonly retryAfterMs?: number }
  /** Done, but the caller hears `timeout`. */
  | { readonly kind: "lose_answer" }
  /** Held up before or after it is done. */
  | { readonly kind: "delay"; readonly moment: "before" | "after"; readonly delayMs: number }
  /** Another shop buys the rest of a product just before the call. */
  | { readonly kind: "sell_out"; readonly productId: string };

/** Which calls are struck, and how often. */
export type Fault = {
  readonly service: ServiceName;
  readonly operation: string;
  /** Only calls about this order; left out: any. */
  readonly reference?: string;
  /** How many calls; `always` stays until {@link liftFaults}. */
  readonly times: number | "always";
  readonly trouble: Trouble;
};

/** Plan a fault. Several may strike one call; of two refusals the older wins. */
export function planFault(db: DatabaseSync, fault: Fault): void {
  db.prepare("INSERT INTO faults (service, operation, reference, remaining, fault) VALUES (?, ?, ?, ?, ?)").run(
    fault.service,
    fault.operation,
    fault.reference ?? null,
    fault.times === "always" ? null : fault.times,
    JSON.stringify(fault.trouble),
  );
}

/** End every fault of a service: it is well again. */
export function liftFaults(db: DatabaseSync, service: ServiceName): void {
  db.prepare("DELETE FROM faults WHERE service = ?").run(service);
}

/** What strikes this call; counts it. Call inside a transaction. */
export function strikeFaults(
  db: DatabaseSync,
  call: { readonly service: string; readonly operation: string; readonly reference: string },
): readonly Trouble[] {
  const rows = db
    .prepare(
      `SELECT id, fault FROM faults
       WHERE service = ? AND operation = ? AND coalesce(reference, ?) = ? AND coalesce(remaining, 1) > 0
       ORDER BY id`,
    )
    .all(call.service, call.operation, call.reference, call.reference);
  const spend = db.prepare("UPDATE faults SET remaining = remaining - 1 WHERE id = ?");
  return rows.map((row) => {
    spend.run(row.id as number);
    return JSON.parse(row.fault as string) as Trouble;
  });
}
