/**
 * Certainty: a step that failed without an answer may have had its effect, and nobody compensates a step that failed.
 * So its key is closed, by a step of its own, before the run goes on.
 */
import type { Settled } from "stepwell";
import { mayHaveActed } from "./failures.ts";

/** Wait for a step; when it failed, make certain that it has no effect, late ones included. */
export async function settleForCertain<Value>(
  step: Promise<Settled<Value>>,
  close: () => Promise<unknown>,
): Promise<Settled<Value>> {
  const settled = await step;
  if (!settled.ok && mayHaveActed(settled.error)) await close();
  return settled;
}

/** The same, for a step without which the run cannot go on. */
export async function succeedOrClose<Value>(
  step: Promise<Settled<Value>>,
  close: () => Promise<unknown>,
): Promise<Value> {
  const settled = await settleForCertain(step, close);
  if (settled.ok) return settled.value;
  throw settled.error;
}
