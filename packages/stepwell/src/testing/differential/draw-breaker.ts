/**
 * Drawing what is asked of circuit breakers: looks, and rows that mostly are the next revision. What is in them makes no
 * sense, since no store reads it.
 */
import type { Breaker } from "../../model/breaker.ts";
import type { Owner } from "../../model/run.ts";
import type { Named } from "./names.ts";
import type { Operation } from "./operation.ts";
import { choose, ownerOf, seeSome, type View } from "./view.ts";

const NAMES = ["gateway", "Gateway", "naïve \u{1f600}"];

/** One look, or one row to be saved. */
export async function drawBreaker(view: View): Promise<readonly Operation[]> {
  const { dice, nowMs } = view;
  const name = dice.pick(NAMES);
  const sight = await seeSome(view);
  const owner = sight === null ? null : ownerOf(view, sight);
  const asker = dice.chance(0.7) ? owner : null;
  const page = { afterName: dice.pick(["", ...NAMES]), limit: 1 + dice.integer(3) };
  const breaker = await drawRow(view, name, owner);
  return choose<readonly Operation[]>(dice, [
    [4, [{ call: "findBreaker", name, owner: asker, nowMs }]],
    [1, [{ call: "listBreakers", page, nowMs }]],
    [8, [{ call: "saveBreaker", breaker, owner: asker }]],
  ]);
}

async function drawRow(view: View, name: string, prober: Named<Owner> | null): Promise<Named<Breaker>> {
  const { dice, reference } = view;
  const stored = (await reference.store.findBreaker(name, null, view.nowMs)).breaker?.revision ?? 0;
  const nowMs = Math.floor(view.nowMs);
  const openUntilMs = dice.chance(0.6) ? nowMs + dice.integer(500) : null;
  const probing = openUntilMs !== null && prober !== null && dice.chance(0.7);
  return {
    name,
    revision: Math.max(1, stored + dice.pick([1, 1, 1, 1, 0, 2])),
    epoch: 1 + dice.integer(5),
    failures: Array.from({ length: dice.integer(4) }, (_, index) => `1/${index}/"é"`),
    sinceMs: nowMs,
    openUntilMs,
    probe: probing ? { mark: "m", owner: prober } : null,
    touched: dice.chance(0.3) ? { actor: "kim", reason: dice.pick(["", "naïve"]), atMs: nowMs } : null,
  };
}
