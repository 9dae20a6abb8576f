/**
 * Find: a run by its public name.
 */
import { StepwellError } from "../model/errors.ts";
import type { Run } from "../model/run.ts";
import type { RunRef } from "../store/write.ts";
import type { Deps } from "./deps.ts";
import { checkOutsideTx } from "./tx-door.ts";

/** @throws StepwellError RUN_NOT_FOUND */
export async function getRun(deps: Deps, ref: RunRef): Promise<Run> {
  checkOutsideTx(deps, "a look at a run");
  const run = await deps.store.findRun(ref);
  if (run === null) throw notFound(ref);
  return run;
}

/** Nobody has that name. */
export function notFound({ namespace, name, id }: RunRef): StepwellError {
  return new StepwellError("RUN_NOT_FOUND", `there is no run "${id}" of ${namespace}/${name}.`);
}
