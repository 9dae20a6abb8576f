/**
 * Behaviour: what the shapes share. How their steps fail and are retried, what they are
 * given, and the signals that they wait for.
 */
import { signal } from "../../engine/signal.ts";
import type { Ctx } from "../../engine/workflow.ts";
import type { Behaviour, Scribe } from "./scribe.ts";

/** What every shape is given: how much of it, and something to tell runs apart. */
export type ShapeInput = { readonly salt: number; readonly size: number };

/** Signals that the shapes wait for. */
export const APPROVAL = signal<unknown>("approval");
/** See {@link APPROVAL}. */
export const ORDER = signal<unknown>("order");

/** Retries of ordinary steps. */
export const PLAIN = { attempts: 4, base: 300, max: 2_000 } as const;
/** Retries of what undoes them. */
export const UNDO = { attempts: 3, base: 250, max: 1_000 } as const;

/** Never fails. */
export const SOUND: Behaviour = {};
/** Fails now and then; hardly ever for good. */
export const SHAKY: Behaviour = { error: 0.3, retryAfter: 0.05 };
/** Ends when others do. */
export const TIMELY: Behaviour = { msMax: 500, strikeMs: 2_000, error: 0.05 };
/** Fails for good as a rule. */
export const ROTTEN: Behaviour = { error: 0.45, permanent: 0.15, retryAfter: 0.1 };

/** Calls a service that is down for a third of the time. */
export const SERVICE: Behaviour = { error: 0.05, permanent: 0.05, outages: true };

/** What it is called through, by all who call it. */
export const BREAKER = { name: "service", failures: 3, reset: 1_500 } as const;

/** A step of that name whose outcome the scribe sees. */
export function step(ctx: Ctx, s: Scribe, name: string, behaviour: Behaviour = SHAKY): Promise<string> {
  return s.see(name, ctx.step(name, s.work(behaviour)).retry(PLAIN));
}
