/**
 * Map: one step per item, by key, some at a time. And `all`, for calls that run
 * anyway. Both let everything end before they throw the first failure, so that no
 * step is left floating when a sibling fails.
 */
import { parseDuration } from "../model/duration.ts";
import { StepwellError } from "../model/errors.ts";
import { stepKey } from "../model/key.ts";
import { checkKeys } from "../model/options.ts";
import { parseRetry, RETRY_DEFAULT } from "../model/retry.ts";
import { askFor } from "./ask.ts";
import type { StepWork } from "./attempt.ts";
import { type CallConfig, newCallConfig, NO_ENDS, openChain, rejectCall } from "./chain.ts";
import type { Deps } from "./deps.ts";
import type { Execution } from "./execution.ts";
import { type Handler, handlerWork, isHandler, type StepContext } from "./handler.ts";
import { beginCall, performStep } from "./steps.ts";
import type { MapOptions } from "./workflow.ts";

/** Work of a map: a function of the item, or a handler whose input the item is. */
export type MapWork = ((item: unknown, step: StepContext) => unknown) | Handler;

/** What `ctx.map` does; see its type. Items begin with the chain, `concurrency` at a time, in their order. */
export function mapItems(
  deps: Deps,
  exec: Execution,
  items: readonly unknown[],
  map: { readonly name: string; readonly options: MapOptions<unknown>; readonly work: MapWork },
): Promise<unknown> {
  const where = `map "${map.name}"`;
  const config = toConfig(where, map.options, isHandler(map.work) ? map.work : null);
  const keys = items.map((item) => askFor(deps, exec, stepKey([map.name, itemKey(where, item, map.options.key)])));
  const begin = (index: number): Promise<unknown> =>
    beginItem(deps, exec, { key: keys[index]!, item: items[index], config, work: map.work });
  const limit = map.options.concurrency ?? items.length;
  if (!(limit >= 1) && items.length > 0) {
    throw new StepwellError("OPTION_INVALID", `concurrency of ${where} must be at least 1.`);
  }
  const pending = { config, ...NO_ENDS };
  return openChain(
    pending,
    (call) =>
      void sideBySide(items.length, limit, begin).then(call.resolve, (error: unknown) => rejectCall(call, error)),
  );
}

/** What `ctx.all` does: a record or a list of calls to a record or a list of values. */
export async function allOf(
  calls: Readonly<Record<string, PromiseLike<unknown>>> | readonly PromiseLike<unknown>[],
): Promise<unknown> {
  const keys = Object.keys(calls);
  const promises = Object.values(calls);
  const values = await sideBySide(promises.length, promises.length, (index) => Promise.resolve(promises[index]));
  return Array.isArray(calls) ? values : Object.fromEntries(keys.map((key, index) => [key, values[index]]));
}

function toConfig(where: string, options: MapOptions<unknown>, handler: Handler | null): CallConfig {
  checkKeys(where, options, ["key", "concurrency", "attempts", "retry", "timeout"]);
  const attempts = options.attempts === undefined ? {} : { attempts: options.attempts };
  const retry = parseRetry({ ...options.retry, ...attempts }, handler?.retry ?? RETRY_DEFAULT, where);
  const timeoutMs =
    options.timeout === undefined
      ? (handler?.timeoutMs ?? null)
      : parseDuration(options.timeout, `timeout of ${where}`);
  return newCallConfig(where, retry, timeoutMs);
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

/** Run `begin(0 … count-1)`, at most `limit` at a time; when all have ended, the first failure by index is thrown. */
async function sideBySide(
  count: number,
  limit: number,
  begin: (index: number) => Promise<unknown>,
): Promise<unknown[]> {
  const results: unknown[] = Array.from({ length: count });
  const failures: { readonly index: number; readonly error: unknown }[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) {
      const index = next++;
      try {
        results[index] = await begin(index);
      } catch (error) {
        failures.push({ index, error });
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, count) }, lane));
  failures.sort((a, b) => a.index - b.index);
  if (failures.length > 0) throw failures[0]!.error;
  return results;
}

function itemKey(where: string, item: unknown, key: MapOptions<unknown>["key"]): string | number {
  if (key !== undefined) return key(item);
  if (typeof item === "string" || typeof item === "number") return item;
  throw new StepwellError("OPTION_INVALID", `${where} needs a \`key\` for items that are neither strings nor numbers.`);
}
