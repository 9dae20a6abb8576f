/**
 * Attributes: what the body says that its run can be found by. Every execution works them
 * out anew from what its body says, and stores them when they differ from what is stored:
 * not while a replay only repeats what was said before.
 */
import { type AttributeChanges, changeAttributes } from "../model/attributes.ts";
import type { Attributes } from "../model/run.ts";
import { quieten } from "./delivery.ts";
import type { Deps } from "./deps.ts";
import type { Execution } from "./execution.ts";
import { submit } from "./record.ts";

/** `ctx.set`. @throws StepwellError ATTRIBUTE_INVALID */
export function setAttributes(deps: Deps, exec: Execution, changes: AttributeChanges): void {
  exec.attributes = changeAttributes(exec.attributes ?? {}, changes);
  if (exec.live && !exec.closed) syncAttributes(deps, exec);
}

/** Store what the body has said, if that is not what is stored. */
export function syncAttributes(deps: Deps, exec: Execution): void {
  const { attributes, run } = exec;
  if (attributes === null || exec.phase !== "running" || run.ending !== null) return;
  if (textOf(attributes) === textOf(run.attributes)) return;
  exec.run = { ...run, attributes };
  const write = { kind: "attributes", owner: exec.owner, values: JSON.stringify(attributes) } as const;
  submit(deps, exec, write, () => quieten(deps, exec));
}

function textOf(attributes: Attributes): string {
  return JSON.stringify(Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1)));
}
