/**
 * Map: one step per item, by key, some at a time.
 */
import { parseDuration } from "../model/duration.ts";
import type { StepwellError } from "../model/errors.ts";
import { scopedKey, type StepName } from "../model/key.ts";
import { checkKeys } from "../model/options.ts";
import { parseRetry, toRetry } from "../model/retry.ts";
import { askFor } from "./ask.ts";
import type { StepWork } from "./attempt.ts";
import { type CallConfig, newCallConfig, NO_ENDS, openChain, rejectCall } from "./chain.ts";
import type { Deps } from "./deps.ts";
import type { Execution } from "./execution.ts";
import { giveUpKey, giveUpUnbegun } from "./give-up.ts";
import { type Handler, handlerWork, isHandler, type StepContext } from "./handler.ts";
import { itemKey, type Lanes, openLanes, sideBySide, stopLanes } from "./lanes.ts";
import { breakerOf, retryOf, type Scope, timeoutOf } from "./scope.ts";
import { beginCall, performStep } from "./steps.ts";
import { takeKey } from "./was.ts";
import type { MapOptions } from "./workflow.ts";

/** Work of a map: a function of the item, or a handler whose input the item is. */
export type MapWork = ((item: unknown, step: StepContext) => unknown) | Handler;

/** What `ctx.map` does; see its type. Items begin with the chain, `concurrency` at a time, in their order. */
export function mapItems(
  deps: Deps,
  exec: Execution,
  items: readonly unknown[],
  map: {
    readonly scope: Scope;
    readonly name: string;
    readonly options: MapOptions<unknown>;
    readonly work: MapWork;
  },
): Promise<unknown> {
  const where = `map "${map.name}"`;
  const config = toConfig(where, map.scope, map.options, isHandler(map.work) ? map.work : null);
  const parts = items.map((item) => itemKey(where, item, map.options.key));
  let keys = parts.map((part) => askFor(deps, exec, scopedKey(map.scope.prefix, [map.name, part])));
  const lanes = openLanes(where, items.length, map.options.concurrency);
  const begin = (index: number): Promise<unknown> =>
    beginItem(deps, exec, { key: keys[index]!, item: items[index], config, work: map.work });
  config.giveUp = (reason) => giveUpItems(deps, exec, { keys, lanes }, reason);
  return openChain({ config, ...NO_ENDS }, (call) => {
    const refuse = (error: unknown): void => rejectCall(call, error);
    try {
      if (config.was !== null) keys = renamed(exec, map.scope, { keys, parts }, config.was);
    } catch (error) {
      return refuse(error);
    }
    void sideBySide(lanes, begin).then(call.resolve, refuse);
  });
}

/** The earlier keys of the items, where the history knows those. */
function renamed(
  exec: Execution,
  scope: Scope,
  items: { readonly keys: readonly string[]; readonly parts: readonly (string | number)[] },
  was: readonly StepName[],
): string[] {
  const keyOf = (name: StepName, part: string | number): string => {
    const words: StepName = typeof name === "string" ? [name, part] : [...name, part];
    return scopedKey(scope.prefix, words);
  };
  return items.keys.map((key, index) => {
    const old = was.map((name) => keyOf(name, items.parts[index]!));
    return takeKey(exec, key, old).key;
  });
}

/** Those under way are asked to stop, those whose turn has not come will not begin; each gets its outcome. */
function giveUpItems(
  deps: Deps,
  exec: Execution,
  items: { readonly keys: readonly string[]; readonly lanes: Lanes },
  reason: StepwellError,
): void {
  const { keys, lanes } = items;
  const begun = lanes.next;
  stopLanes(lanes, reason);
  for (const key of keys.slice(0, begun)) giveUpKey(deps, exec, key, reason);
  for (const key of keys.slice(begun)) giveUpUnbegun(deps, exec, key, reason);
}

function toConfig(where: string, scope: Scope, options: MapOptions<unknown>, handler: Handler | null): CallConfig {
  checkKeys(where, options, ["key", "concurrency", "attempts", "retry", "timeout"]);
  const retry = parseRetry(toRetry(options), retryOf(scope, handler), where);
  const timeoutMs =
    options.timeout === undefined ? timeoutOf(scope, handler) : parseDuration(options.timeout, `timeout of ${where}`);
  const config = newCallConfig(where, retry, timeoutMs);
  config.heartbeatMs = handler?.heartbeatMs ?? null;
  config.breaker = breakerOf(scope, handler);
  config.onUncertain = handler?.onUncertain ?? null;
  return config;
}

/** The chain's configuration applies to every item; its compensation gets the item as well. */
function beginItem(
  deps: Deps,
  exec: Execution,
  one: { readonly key: string; readonly item: unknown; readonly config: CallConfig; readonly work: MapWork },
): Promise<unknown> {
  const { key, item, work } = one;
  const undo = one.config.compensate?.undo as ((value: unknown, item: unknown, step: unknown) => unknown) | undefined;
  const compensate =
    undo === undefined
      ? null
      : { ...one.config.compensate!, undo: (value: unknown, step: unknown) => undo(value, item, step) };
  const config: CallConfig = { ...one.config, compensate, where: `step "${key}"` };
  const code: StepWork = isHandler(work) ? handlerWork(work, item) : (step) => work(item, step);
  return new Promise((resolve, reject) => {
    beginCall(deps, { exec, key, kind: "step", config, perform: performStep(code), resolve, reject, promise: null });
  });
}
