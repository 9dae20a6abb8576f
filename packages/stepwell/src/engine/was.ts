/**
 * Was: calls that had another name before. A run whose history knows the old name, and
 * not the new one, keeps the old key wholly: checkpoint, attempts, idempotency key,
 * compensation, ids of children.
 */
import { StepwellError } from "../model/errors.ts";
import { checkKey, stepKey, type StepName } from "../model/key.ts";
import { rejectCall } from "./chain.ts";
import type { Deps } from "./deps.ts";
import { type Execution, runName } from "./execution.ts";
import { beginCall, type Call } from "./steps.ts";

/** Which key a call goes by, and which others it had. */
export type TakenKey = { readonly key: string; readonly formerly: readonly string[] };

/** Begin a call under the key that the history knows: its own, or `base` and one of the names that it had. */
export function beginRenamed(deps: Deps, call: Call, base: string, was: readonly StepName[]): void {
  const old = was.map((name) => checkKey(base + stepKey(name)));
  try {
    beginCall(deps, { ...call, ...takeKey(call.exec, call.key, old) });
  } catch (error) {
    rejectCall(call, error);
  }
}

/**
 * Choose between a new key, which is reserved already, and old ones, which are reserved too: no other call of this body
 * may ask for them.
 *
 * @throws StepwellError STEP_NAME_REUSED
 */
export function takeKey(exec: Execution, key: string, old: readonly string[]): TakenKey {
  for (const name of old) {
    if (!exec.asked.has(name)) continue;
    const what = `"${name}" is used in ${runName(exec)}, and "${key}" says that it was called so before.`;
    throw new StepwellError("STEP_NAME_REUSED", what);
  }
  for (const name of old) exec.asked.add(name);
  const known = [key, ...old].find((name) => exec.recorded.has(name) || exec.attempts.has(name));
  return known === undefined ? { key, formerly: old } : { key: known, formerly: NONE };
}

const NONE: readonly string[] = [];
