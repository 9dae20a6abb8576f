/**
 * Delivery: what is on its way into a run's inbox, from outsiders and from the children it awaits.
 */
import type { InboxItem } from "../model/inbox.ts";
import type { Owner, Parent } from "../model/run.ts";
import type { Ending } from "../model/transition.ts";

/** An item on its way; `operationId` is unique per run, so that it arrives once. */
export type Delivery = Omit<InboxItem, "seq" | "atMs"> & { readonly operationId: string };

/** The end of an awaited child. */
export type ChildEnd = {
  /** Who ended it. */
  readonly owner: Owner;
  /** The child's public id. */
  readonly id: string;
  readonly parent: Parent;
  readonly ending: Ending;
};

/** What the parent's inbox receives. */
export function endingDelivery({ owner, id, parent, ending }: ChildEnd): Delivery {
  return {
    kind: "child",
    name: parent.key,
    payload: JSON.stringify(ending),
    actor: `run:${id}`,
    operationId: endingOperation(owner),
  };
}

/** A run ends once per generation and each has claims of its own, so run and fence name the end. */
export function endingOperation({ rowId, fence }: Owner): string {
  return `child:${rowId}:${fence}`;
}
