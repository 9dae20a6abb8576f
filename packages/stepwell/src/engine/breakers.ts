/**
 * Breakers: the circuit breakers of a store as people see them, and what they do to one by hand. Rules are in
 * model/breaker.ts.
 */
import { type Breaker, type BreakerState, breakerName, breakerState, closed, opened } from "../model/breaker.ts";
import { type Duration, parseDuration } from "../model/duration.ts";
import { StepwellError } from "../model/errors.ts";
import { checkKeys } from "../model/options.ts";
import { showValue } from "../model/plain.ts";
import type { ListedBreaker } from "../store/store.ts";
import type { Deps } from "./deps.ts";
import { checkOutsideTx } from "./tx-door.ts";

/** A circuit breaker as it stands. Moments are epoch milliseconds by the store's clock. */
export type BreakerInfo = {
  readonly name: string;
  readonly state: BreakerState;
  /** Failed attempts in a row, of all runs; while it is not closed, those that opened it. */
  readonly failures: number;
  /** Since when it is closed, or is not. */
  readonly sinceMs: number;
  /** From when on a probe may be made; null: it is closed, or one may be made now. */
  readonly untilMs: number | null;
  /** The run whose probe is under way; `workflow` is `namespace/name`. */
  readonly probe: { readonly workflow: string; readonly id: string } | null;
  /** Who tripped or reset it by hand last, and why. */
  readonly touched: { readonly actor: string; readonly reason: string; readonly atMs: number } | null;
};

/** Who does it, and why. Both are recorded. */
export type TouchOptions = { readonly actor?: string; readonly reason?: string };

/** What people do with circuit breakers: `engine.breakers`. */
export type Breakers = {
  /** All that a step has asked yet, by name. */
  readonly list: () => Promise<readonly BreakerInfo[]>;
  /**
   * Open it for so long, whatever it was: nobody is called. Attempts that are under way go on, and say nothing of it any
   * more. @throws StepwellError BREAKER_NOT_FOUND
   */
  readonly trip: (name: string, options: TouchOptions & { readonly for: Duration }) => Promise<void>;
  /**
   * Close it, and forget its failures. Steps that wait for it notice when they look next: within a minute, or by the time
   * when it would have let a probe through. @throws StepwellError BREAKER_NOT_FOUND
   */
  readonly reset: (name: string, options?: TouchOptions) => Promise<void>;
};

/** The breakers of an engine's store. */
export function openBreakers(deps: Deps): Breakers {
  return {
    list: async () => {
      checkOutsideTx(deps, "breakers.list");
      return listAll(deps);
    },
    trip: async (name, options) => {
      checkOutsideTx(deps, "breakers.trip");
      checkKeys(`trip of breaker ${showValue(name)}`, options, ["for", "actor", "reason"]);
      const forMs = parseDuration(options.for, "for of trip");
      await touch(deps, name, options, (breaker, nowMs) => opened(breaker, nowMs, forMs));
    },
    reset: async (name, options = {}) => {
      checkOutsideTx(deps, "breakers.reset");
      checkKeys(`reset of breaker ${showValue(name)}`, options, ["actor", "reason"]);
      await touch(deps, name, options, closed);
    },
  };
}

/** Read at once. */
const PAGE = 1_000;

async function listAll({ store }: Deps): Promise<readonly BreakerInfo[]> {
  const all: ListedBreaker[] = [];
  for (;;) {
    const page = await store.listBreakers({ afterName: all.at(-1)?.breaker.name ?? "", limit: PAGE }, null);
    all.push(...page);
    if (page.length < PAGE) return all.map(toInfo);
  }
}

function toInfo({ breaker, probing, nowMs }: ListedBreaker): BreakerInfo {
  const { name, failures, sinceMs, openUntilMs, touched } = breaker;
  const state = breakerState(breaker, nowMs);
  return {
    name,
    state,
    failures: failures.length,
    sinceMs,
    untilMs: state === "open" ? openUntilMs : null,
    probe: probing === null ? null : { workflow: `${probing.namespace}/${probing.name}`, id: probing.id },
    touched,
  };
}

type Change = (breaker: Breaker, nowMs: number) => Breaker;

/** Done again where somebody else was first, or nobody knows whether it was done: twice is once. */
async function touch(deps: Deps, name: string, options: TouchOptions, change: Change): Promise<void> {
  breakerName(name, "engine.breakers");
  const { actor = deps.settings.actor, reason = "" } = options;
  for (;;) {
    const { breaker, nowMs } = await deps.store.findBreaker(name, null, null);
    if (breaker === null) throw new StepwellError("BREAKER_NOT_FOUND", `no step has asked a breaker "${name}" yet.`);
    const touched = { actor, reason, atMs: nowMs };
    if (await isSaved(deps, { ...change(breaker, nowMs), touched })) return;
  }
}

async function isSaved(deps: Deps, breaker: Breaker): Promise<boolean> {
  try {
    return await deps.store.saveBreaker(breaker, null);
  } catch (error) {
    if (!(error instanceof StepwellError) || error.code !== "STORE_OUTCOME_UNKNOWN") throw error;
    return false;
  }
}
