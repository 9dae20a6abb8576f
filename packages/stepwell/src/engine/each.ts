/**
 * Each: a small body per item, with a ctx of its own. What that ctx is asked for belongs
 * to the item: its keys begin with the names of the call and of the item.
 */
import { scopedKey } from "../model/key.ts";
import { checkKeys } from "../model/options.ts";
import { askFor } from "./ask.ts";
import type { Deps } from "./deps.ts";
import type { Execution } from "./execution.ts";
import { itemKey, openLanes, sideBySide } from "./lanes.ts";
import type { Scope } from "./scope.ts";
import type { Ctx, EachOptions } from "./workflow.ts";

/** What is done for an item. */
export type EachBody = (ctx: Ctx, item: unknown, index: number) => unknown;

/** What `ctx.each` does; see its type. Each item's prefix is reserved like a key. */
export function eachItem(
  deps: Deps,
  exec: Execution,
  items: readonly unknown[],
  each: {
    readonly scope: Scope;
    readonly name: string;
    readonly options: EachOptions<unknown>;
    readonly body: EachBody;
    /** Makes the ctx of an item. */
    readonly openContext: (deps: Deps, exec: Execution, scope: Scope) => Ctx;
  },
): Promise<unknown> {
  const { scope, name, options, body } = each;
  const where = `each "${name}"`;
  checkKeys(where, options, ["key", "concurrency"]);
  const prefixes = items.map((item) => {
    const key = scopedKey(scope.prefix, [name, itemKey(where, item, options.key)]);
    return askFor(deps, exec, `${key}/`);
  });
  const lanes = openLanes(where, items.length, options.concurrency);
  return sideBySide(lanes, async (index) => {
    const ctx = each.openContext(deps, exec, { ...scope, prefix: prefixes[index]! });
    return body(ctx, items[index], index);
  });
}
