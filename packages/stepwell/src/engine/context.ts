/**
 * Context: the ctx that a body is given. Every method names the call and hands it to
 * the file that performs it.
 */
import { type Dice, openDice } from "../model/dice.ts";
import { parseDuration } from "../model/duration.ts";
import { StepwellError } from "../model/errors.ts";
import { encode } from "../model/json.ts";
import { stepKey, type StepName } from "../model/key.ts";
import { checkKeys } from "../model/options.ts";
import { RETRY_DEFAULT } from "../model/retry.ts";
import { askFor, checkCaller, openCall } from "./ask.ts";
import type { StepWork } from "./attempt.ts";
import { newCallConfig } from "./chain.ts";
import { performRun, performStart } from "./children.ts";
import type { Deps } from "./deps.ts";
import { added, type Execution, runName } from "./execution.ts";
import { type Handler, handlerWork, isHandler } from "./handler.ts";
import { allOf, mapItems, type MapWork } from "./map.ts";
import { saveNote, saveProgress } from "./record.ts";
import { type Call, performStep } from "./steps.ts";
import { performNow, performSleep, performWaitFor } from "./waiting.ts";
import type { Ctx, MapOptions, Workflow } from "./workflow.ts";

/** The ctx of one execution. */
export function openContext(deps: Deps, exec: Execution): Ctx {
  const { namespace, name, version } = exec.workflow;
  const door = { deps, exec };
  const call = (key: string, kind: Call["kind"], perform: Call["perform"]): Promise<unknown> => {
    const asked = askFor(deps, exec, key);
    return openCall(deps, exec, {
      key: asked,
      kind,
      perform,
      config: newCallConfig(`"${asked}"`, RETRY_DEFAULT, null),
    });
  };
  const child = (workflow: Workflow, input: unknown, id: string | null = null) => ({ workflow, input, id });
  const ctx: Untyped = {
    runId: exec.run.id,
    workflow: { namespace, name, version },
    actor: exec.run.actor,
    step: (first: StepName | Handler, second: unknown, third?: unknown) => step(door, first, second, third),
    map: (map: string, items: readonly unknown[], options: MapOptions<unknown>, work: MapWork) =>
      mapItems(deps, exec, items, { name: map, options, work }),
    sleep: (timer: StepName, duration: string | number) =>
      call(stepKey(timer), "sleep", performSleep(parseDuration(duration, `sleep "${String(timer)}"`))),
    waitFor: (signal: { readonly name: string }, options: WaitForOptions = {}) =>
      call(waitKey(exec, signal.name, options), "signal", performWaitFor(signal.name, timeoutMs(signal.name, options))),
    all: allOf,
    run: (key: StepName, workflow: Workflow, input: unknown) =>
      call(stepKey(key), "child", performRun(child(workflow, input))),
    start: (key: StepName, workflow: Workflow, input: unknown, options: { readonly id?: string } = {}) => {
      checkKeys(`ctx.start "${String(key)}"`, options, ["id"]);
      return call(stepKey(key), "start", performStart(child(workflow, input, options.id)));
    },
    now: (key: StepName) => call(stepKey(key), "now", performNow),
    uuid: (label: string) => dice(exec, `uuid/${label}`).uuid(),
    random: (label: string) => dice(exec, `random/${label}`).next(),
    progress: (value: unknown) => showProgress(deps, exec, value),
    log: (message: string, fields = {}) => log(deps, exec, message, fields),
  };
  return ctx as Ctx;
}

/** Same members as Ctx, whose generics the implementation neither needs nor can express. */
type Untyped = {
  readonly [K in keyof Ctx]: Ctx[K] extends (...args: never[]) => unknown ? (...args: never[]) => unknown : Ctx[K];
};

type WaitForOptions = { readonly timeout?: number | string; readonly name?: string };

/** Whose ctx it is. */
type Door = { readonly deps: Deps; readonly exec: Execution };

/** The three forms of `ctx.step`. */
function step(door: Door, first: StepName | Handler, second: unknown, third: unknown): Promise<unknown> {
  if (isHandler(first)) return stepOf(door, first.name, handlerWork(first, second), first);
  if (isHandler(second)) return stepOf(door, first, handlerWork(second, third), second);
  if (typeof second !== "function") {
    throw new StepwellError("OPTION_INVALID", `step "${String(first)}" got no function.`);
  }
  return stepOf(door, first, second as StepWork, null);
}

function stepOf({ deps, exec }: Door, name: StepName, work: StepWork, handler: Handler | null): Promise<unknown> {
  const key = askFor(deps, exec, stepKey(name));
  const config = newCallConfig(`step "${key}"`, handler?.retry ?? RETRY_DEFAULT, handler?.timeoutMs ?? null);
  return openCall(deps, exec, { key, kind: "step", config, perform: performStep(work) });
}

/** The n-th wait of a signal is `@wait/NAME/n`, a named one `@wait/NAME/name`. */
function waitKey(exec: Execution, signal: string, options: WaitForOptions): string {
  checkKeys(`waitFor "${signal}"`, options, ["timeout", "name"]);
  if (options.name !== undefined) return `@wait/${signal}/${stepKey(options.name)}`;
  const count = (exec.waitCounts.get(signal) ?? 0) + 1;
  exec.waitCounts = added(exec.waitCounts, signal, count);
  return `@wait/${signal}/${count}`;
}

function timeoutMs(signal: string, options: WaitForOptions): number | null {
  return options.timeout === undefined ? null : parseDuration(options.timeout, `timeout of waitFor "${signal}"`);
}

function showProgress(deps: Deps, exec: Execution, value: unknown): void {
  checkCaller(deps, exec);
  const { text } = encode(value, deps.settings.limits);
  if (exec.live && !exec.closed && exec.phase === "running") saveProgress(deps, exec, text);
}

function log(deps: Deps, exec: Execution, message: string, fields: Readonly<Record<string, unknown>>): void {
  checkCaller(deps, exec);
  const { text } = encode({ message, fields }, deps.settings.limits);
  if (!exec.live || exec.closed) return;
  if (exec.phase === "running") saveNote(deps, exec, "log", text);
  deps.log?.({ level: "info", message, run: runName(exec), fields });
}

function dice(exec: Execution, label: string): Dice {
  return openDice(`${exec.run.seed}/${exec.run.namespace}/${exec.run.name}/${exec.run.id}/${label}`);
}
