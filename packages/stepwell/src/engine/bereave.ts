/**
 * Bereave: a run that is cancelled, or whose time is up, before this execution has run its
 * body. Nothing but the body tells which children it awaits: it is replayed up to where it
 * stood, so that they can be asked to stop.
 */
import { replayBody } from "./compensate.ts";
import type { Deps } from "./deps.ts";
import { type Execution, isBusy, isGone } from "./execution.ts";

/**
 * Resolves when the body has been answered all that is recorded, and the children that it awaits are known. A body that
 * awaits something raw is not waited for. A run that was never executed has none.
 */
export function findChildren(deps: Deps, exec: Execution): Promise<void> {
  if (exec.run.fence === 1) return Promise.resolve();
  return new Promise((resolve) => {
    const look = (): void => {
      if (isBusy(exec) && !isGone(exec)) return;
      exec.onQuiet = null;
      exec.collecting = false;
      resolve();
    };
    // The body has its say first.
    const lookLater = (): void => deps.host.defer(() => deps.host.defer(look));
    deps.host.defer(() => {
      exec.collecting = true;
      exec.onQuiet = lookLater;
      void replayBody(deps, exec);
      lookLater();
    });
  });
}
