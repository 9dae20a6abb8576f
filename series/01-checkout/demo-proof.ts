/**
 * Proof: what the services' own books say about each order of the demo.
 */
import { formatMoney } from "../growthcorp/money.ts";
import type { Terminal } from "../growthcorp/terminal.ts";
import { countEffects, type Effects, listCalls, sumMoney } from "../growthcorp/world/ledger.ts";
import type { World } from "../growthcorp/world/world.ts";
import { CAST, type Fate, KILLED_ID, type Role } from "./demo-cast.ts";

/** What the books must say of an order of that fate. */
const MUST_BE: Readonly<Record<Fate, Pick<Effects, "charges" | "refunds" | "orders" | "emails">>> = {
  paid: { charges: 1, refunds: 0, orders: 1, emails: 1 },
  declined: { charges: 0, refunds: 0, orders: 0, emails: 0 },
  refunded: { charges: 1, refunds: 1, orders: 0, emails: 0 },
};

/** One order's row of the proof. */
export type ProofRow = {
  readonly role: Role;
  readonly chargeCalls: number;
  readonly effects: Effects;
  /** Cents. */
  readonly kept: number;
  readonly holds: boolean;
};

/** Read the books. */
export function proveAll(world: World): readonly ProofRow[] {
  return CAST.map((role) => {
    const effects = countEffects(world, role.id);
    const kept = Object.values(sumMoney(world, role.id)).reduce((sum, cents) => sum + cents, 0);
    const chargeCalls = listCalls(world, role.id).filter((call) => call.operation === "charge").length;
    const due = role.fate === "paid" ? role.order.payment_info.amount : 0;
    const must = Object.entries(MUST_BE[role.fate]) as [keyof Effects, number][];
    const calledAgain = role.id !== KILLED_ID || chargeCalls === 2;
    const holds = kept === due && calledAgain && must.every(([name, n]) => effects[name] === n);
    return { role, chargeCalls, effects, kept, holds };
  });
}

/** The proof as a table of at most 60 columns. */
export function printProof(rows: readonly ProofRow[], { print, paint }: Terminal): void {
  const cells = (texts: readonly (string | number)[]): string =>
    texts.map((text, index) => (index === 0 ? String(text).padEnd(10) : String(text).padStart(8))).join("");
  print(paint.bold(cells(["", "tries", "charges", "refunds", "orders", "e-mails", "kept"])));
  for (const { role, chargeCalls, effects, kept, holds } of rows) {
    const { charges, refunds, orders, emails } = effects;
    const line = cells([role.id, chargeCalls, charges, refunds, orders, emails, formatMoney(kept)]);
    print(`${line} ${holds ? paint.green("✓") : paint.red("✗")}`);
  }
}
