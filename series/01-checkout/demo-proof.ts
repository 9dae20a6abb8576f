/**
 * Proof: what the services' own books say about each order of the demo.
 */
import type { Engine } from "stepwell";
import { formatMoney } from "../growthcorp/money.ts";
import type { Terminal } from "../growthcorp/terminal.ts";
import { renderTimeline } from "../growthcorp/timeline.ts";
import { countEffects, type Effects, listCalls, sumMoney } from "../growthcorp/world/ledger.ts";
import type { World } from "../growthcorp/world/world.ts";
import type { Fate, Role } from "./demo-cast.ts";

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

/** Read the books. A call during which the worker was killed must have been made again. */
export function proveAll(world: World, cast: readonly Role[]): readonly ProofRow[] {
  return cast.map((role) => {
    const effects = countEffects(world, role.id);
    const kept = Object.values(sumMoney(world, role.id)).reduce((sum, cents) => sum + cents, 0);
    const callsOf = (operation: string): number =>
      listCalls(world, role.id).filter((call) => call.operation === operation).length;
    const chargeCalls = callsOf("charge");
    const due = role.fate === "paid" ? role.order.payment_info.amount : 0;
    const must = Object.entries(MUST_BE[role.fate]) as [keyof Effects, number][];
    const calledAgain = role.killedDuring === undefined || callsOf(role.killedDuring) >= 2;
    const holds = kept === due && calledAgain && must.every(([name, n]) => effects[name] === n);
    return { role, chargeCalls, effects, kept, holds };
  });
}

/** The histories of these orders, one below the other. */
export async function printTimelines(
  engine: Pick<Engine, "history">,
  cast: readonly Role[],
  terminal: Terminal,
): Promise<void> {
  const { print, paint } = terminal;
  for (const { id, about } of cast) {
    print(`\n${paint.bold(paint.cyan(id))}  ${about}`);
    const history = await engine.history("ecommerce/process_order", id);
    for (const line of renderTimeline(history, terminal)) print(line);
  }
}

/** The proof as a table of at most 60 columns, with its title. */
export function printProof(rows: readonly ProofRow[], { print, paint }: Terminal): void {
  const cells = (texts: readonly (string | number)[]): string =>
    texts.map((text, index) => (index === 0 ? String(text).padEnd(10) : String(text).padStart(8))).join("");
  print(`\n${paint.bold("Proof, from the books of the services")}\n`);
  print(paint.bold(cells(["", "tries", "charges", "refunds", "orders", "e-mails", "kept"])));
  for (const { role, chargeCalls, effects, kept, holds } of rows) {
    const { charges, refunds, orders, emails } = effects;
    const line = cells([role.id, chargeCalls, charges, refunds, orders, emails, formatMoney(kept)]);
    print(`${line} ${holds ? paint.green("✓") : paint.red("✗")}`);
  }
  print();
}
