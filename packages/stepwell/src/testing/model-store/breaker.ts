/**
 * Breaker: one value per name, replaced by the next revision alone.
 */
import type { Breaker, BreakerLook } from "../../model/breaker.ts";
import type { Owner } from "../../model/run.ts";
import type { ListedBreaker } from "../../store/store.ts";
import { checkTexts } from "./batch.ts";
import type { World } from "./world.ts";

/** The breaker of that name, and what is true of it just now. */
export function findBreaker(world: World, name: string, owner: Owner | null, nowMs: number): BreakerLook {
  const breaker = world.breakers.get(name) ?? null;
  const probing = breaker !== null && breaker.probe !== null && isHeld(world, breaker.probe.owner);
  return { breaker, probing, held: owner !== null && isHeld(world, owner), nowMs };
}

/** False: it has changed since the revision before, or the owner does not hold the run. */
export function saveBreaker(world: World, breaker: Breaker, owner: Owner | null): boolean {
  const { name, revision, touched } = breaker;
  checkTexts({ name, ...(touched === null ? {} : { actor: touched.actor, reason: touched.reason }) });
  const before = world.breakers.get(name)?.revision ?? revision - 1;
  if (before !== revision - 1 || (owner !== null && !isHeld(world, owner))) return false;
  world.breakers.set(name, breaker);
  return true;
}

/** By name, after `afterName`. */
export function listBreakers(
  world: World,
  { afterName, limit }: { readonly afterName: string; readonly limit: number },
  nowMs: number,
): readonly ListedBreaker[] {
  const names = [...world.breakers.keys()].filter((name) => name > afterName).toSorted();
  return names.slice(0, limit).map((name) => {
    const breaker = world.breakers.get(name)!;
    const run = breaker.probe === null ? undefined : world.books.get(breaker.probe.owner.rowId)?.run;
    const probing = run !== undefined && isHeld(world, breaker.probe!.owner);
    return { breaker, probing: probing ? { namespace: run.namespace, name: run.name, id: run.id } : null, nowMs };
  });
}

function isHeld({ books }: World, { rowId, workerId, fence }: Owner): boolean {
  const run = books.get(rowId)?.run;
  return run?.workerId === workerId && run.fence === fence;
}
