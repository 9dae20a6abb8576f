/**
 * Uncertain: what becomes of an attempt that began and has no outcome. Rules U1 to U3 are in engine/uncertain.ts.
 */
import { StepwellError } from "./codes.ts";
import { showValue } from "./plain.ts";

/** `retry`: it is made again. `fail`: its step fails. `ask`: an operator decides. */
export type UncertainPolicy = "retry" | "fail" | "ask";

/**
 * Check what a step says. Null: the attempt is made again.
 *
 * @throws StepwellError OPTION_INVALID
 */
export function parseUncertain(policy: UncertainPolicy, where: string): Exclude<UncertainPolicy, "retry"> | null {
  if (policy === "retry") return null;
  if (policy === "fail" || policy === "ask") return policy;
  const what = `onUncertain of ${where} must be "retry", "fail" or "ask", got ${showValue(policy)}.`;
  throw new StepwellError("OPTION_INVALID", what);
}
