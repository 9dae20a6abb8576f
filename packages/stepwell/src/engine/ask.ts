/**
 * Asking: the door through which every ctx call of a body passes. It refuses calls from
 * step code and after the end, reserves the key, and makes the chain.
 */
import { StepwellError } from "../model/errors.ts";
import { NO_ENDS, openChain } from "./chain.ts";
import type { Deps } from "./deps.ts";
import { type Execution, runName } from "./execution.ts";
import { beginCall, type Call } from "./steps.ts";
import { beginRenamed } from "./was.ts";

/**
 * A body that was cancelled or given back is not told: its calls never settle.
 *
 * @throws StepwellError CTX_IN_STEP, CTX_AFTER_END
 */
export function checkCaller(deps: Deps, exec: Execution): void {
  const step = deps.host.currentStep();
  if (step !== undefined) throw new StepwellError("CTX_IN_STEP", `ctx was used inside step code (${step}).`);
  if (exec.bodyEnded) {
    throw new StepwellError("CTX_AFTER_END", `ctx of ${runName(exec)} was used after its body had ended.`);
  }
}

/** Reserve a key for this body: two calls of one name would share one checkpoint. */
export function askFor(deps: Deps, exec: Execution, key: string): string {
  checkCaller(deps, exec);
  if (exec.asked.has(key)) throw new StepwellError("STEP_NAME_REUSED", `"${key}" is used twice in ${runName(exec)}.`);
  exec.asked.add(key);
  return key;
}

/** A chain that begins this call in the next microtask. `base`: what its key begins with, before the name. */
export function openCall(
  deps: Deps,
  exec: Execution,
  asked: Pick<Call, "key" | "kind" | "config" | "perform"> & { readonly base: string },
): Promise<unknown> {
  const { key, kind, config, perform, base } = asked;
  const { resolve, reject, promise } = NO_ENDS;
  const call: Call = { exec, key, kind, config, perform, resolve, reject, promise };
  return openChain(call, (begun) => {
    if (config.was === null) beginCall(deps, begun);
    else beginRenamed(deps, begun, base, config.was);
  });
}
