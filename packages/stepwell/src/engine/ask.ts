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

/** A call of a ctx. `base`: what its key begins with, before the name. */
type Asked = Call & { readonly deps: Deps; readonly base: string };

/** A chain that begins this call in the next microtask. */
export function openCall(
  deps: Deps,
  exec: Execution,
  asked: Pick<Asked, "key" | "kind" | "config" | "perform" | "base">,
): Promise<unknown> {
  const { key, kind, config, perform, base } = asked;
  const { resolve, reject, promise } = NO_ENDS;
  const call: Asked = { deps, exec, key, base, kind, config, perform, resolve, reject, promise };
  return openChain(call, beginAsked);
}

function beginAsked(call: Asked): void {
  const { deps, base, config } = call;
  if (config.was === null) beginCall(deps, call);
  else beginRenamed(deps, call, base, config.was);
}
