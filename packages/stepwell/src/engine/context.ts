/**
 * Context: the ctx that a body is given. Every method names the call and hands it to
 * the file that performs it.
 */
import { type Dice, openDice } from "../model/dice.ts";
import type { AttributeChanges } from "../model/attributes.ts";
import { parseDuration, parseMoment } from "../model/duration.ts";
import { StepwellError } from "../model/errors.ts";
import { decode, encode } from "../model/json.ts";
import { checkKey, scopedKey, stepKey, type StepName } from "../model/key.ts";
import { checkKeys } from "../model/options.ts";
import { RETRY_DEFAULT } from "../model/retry.ts";
import { askFor, checkCaller, openCall } from "./ask.ts";
import type { StepWork } from "./attempt.ts";
import { setAttributes } from "./attributes.ts";
import { newCallConfig } from "./chain.ts";
import { performRun, performStart } from "./children.ts";
import type { Deps } from "./deps.ts";
import { type EachBody, eachItem } from "./each.ts";
import { type Execution, runName } from "./execution.ts";
import { type Handler, handlerWork, isHandler } from "./handler.ts";
import { allOf } from "./lanes.ts";
import { mapItems, type MapWork } from "./map.ts";
import { checkContenders, type Contenders, performRace } from "./race.ts";
import { saveNote, saveProgress } from "./record.ts";
import { diceLabel, retryOf, ROOT, type Scope, type StepDefaults, timeoutOf, waitBase, withDefaults } from "./scope.ts";
import { type Call, historyLimit, performStep } from "./steps.ts";
import { performNow, performSleep, performSleepUntil, performWaitFor } from "./waiting.ts";
import type { Ctx, EachOptions, MapOptions, Workflow } from "./workflow.ts";

/** The ctx of one execution; or of a scope of it, see scope.ts. */
export function openContext(deps: Deps, exec: Execution, scope: Scope = ROOT): Ctx<never> {
  const { namespace, name, version } = exec.workflow;
  const call = (key: StepName, kind: Call["kind"], perform: Call["perform"]): Promise<unknown> =>
    open(deps, exec, { key: scopedKey(scope.prefix, key), base: scope.prefix, kind, perform });
  const child = (workflow: Workflow, input: unknown, id: string | null = null) => ({ workflow, input, id });
  const ctx: Untyped = {
    runId: exec.run.id,
    workflow: { namespace, name, version },
    version: exec.run.version,
    actor: exec.run.actor,
    get input() {
      return decode(exec.run.input);
    },
    step: (...args: StepArguments) => step(deps, exec, scope, args),
    map: (map: string, items: readonly unknown[], options: MapOptions<unknown>, work: MapWork) =>
      mapItems(deps, exec, items, { scope, name: map, options, work }),
    each: (each: string, items: readonly unknown[], options: EachOptions<unknown>, body: EachBody) =>
      eachItem(deps, exec, items, { scope, name: each, options, body, openContext }),
    sleep: (timer: StepName, duration: string | number) =>
      call(timer, "sleep", performSleep(parseDuration(duration, `sleep "${String(timer)}"`))),
    sleepUntil: (timer: StepName, moment: Date | number) =>
      call(timer, "sleep", performSleepUntil(parseMoment(moment, `sleepUntil "${String(timer)}"`))),
    waitFor: (signal: { readonly name: string }, options: WaitForOptions = {}) => {
      const base = waitBase(scope, signal.name);
      const perform = performWaitFor(signal.name, timeoutMs(signal.name, options));
      return open(deps, exec, { key: waitKey(exec, base, signal.name, options), base, kind: "signal", perform });
    },
    all: allOf,
    race: (race: StepName, contenders: Contenders) => {
      checkContenders(String(race), contenders);
      return call(race, "race", performRace(contenders));
    },
    run: (key: StepName, workflow: Workflow, input: unknown) => call(key, "child", performRun(child(workflow, input))),
    start: (key: StepName, workflow: Workflow, input: unknown, options: { readonly id?: string } = {}) => {
      checkKeys(`ctx.start "${String(key)}"`, options, ["id"]);
      return call(key, "start", performStart(child(workflow, input, options.id)));
    },
    now: (key: StepName) => call(key, "now", performNow),
    uuid: (label: string) => dice(exec, diceLabel(scope, "uuid", label)).uuid(),
    random: (label: string) => dice(exec, diceLabel(scope, "random", label)).next(),
    set: (attributes: AttributeChanges) => {
      checkCaller(deps, exec);
      setAttributes(deps, exec, attributes);
    },
    progress: (value: unknown) => showProgress(deps, exec, value),
    log: (message: string, fields = {}) => log(deps, exec, message, fields),
    with: (defaults: StepDefaults) => openContext(deps, exec, withDefaults(scope, defaults)),
  };
  return ctx as Ctx<never>;
}

/** Same members as Ctx, whose generics the implementation neither needs nor can express. */
type Untyped = {
  readonly [K in keyof Ctx]: Ctx[K] extends (...args: never[]) => unknown ? (...args: never[]) => unknown : Ctx[K];
};

type StepArguments = readonly [first: StepName | Handler, second: unknown, third?: unknown];
type WaitForOptions = { readonly timeout?: number | string; readonly name?: string };

/** The three forms of `ctx.step`. */
function step(deps: Deps, exec: Execution, scope: Scope, [first, second, third]: StepArguments): Promise<unknown> {
  if (isHandler(first)) {
    return stepOf(deps, exec, scope, { name: first.name, work: handlerWork(first, second), handler: first });
  }
  if (isHandler(second)) {
    return stepOf(deps, exec, scope, { name: first, work: handlerWork(second, third), handler: second });
  }
  if (typeof second !== "function") {
    throw new StepwellError("OPTION_INVALID", `step "${String(first)}" got no function.`);
  }
  return stepOf(deps, exec, scope, { name: first, work: second as StepWork, handler: null });
}

function stepOf(
  deps: Deps,
  exec: Execution,
  scope: Scope,
  code: { readonly name: StepName; readonly work: StepWork; readonly handler: Handler | null },
): Promise<unknown> {
  const { name, work, handler } = code;
  const key = askFor(deps, exec, scopedKey(scope.prefix, name));
  const config = newCallConfig(`step "${key}"`, retryOf(scope, handler), timeoutOf(scope, handler));
  if (handler !== null) config.heartbeatMs = handler.heartbeatMs;
  return openCall(deps, exec, { key, base: scope.prefix, kind: "step", config, perform: performStep(work) });
}

/** A call with a name and nothing else to configure. */
function open(
  deps: Deps,
  exec: Execution,
  call: Pick<Call, "key" | "kind" | "perform"> & { readonly base: string },
): Promise<unknown> {
  const key = askFor(deps, exec, call.key);
  return openCall(deps, exec, { ...call, config: newCallConfig(`"${key}"`, RETRY_DEFAULT, null) });
}

/** Of the n-th wait of a signal n, of a named one its name, after what both begin with. */
function waitKey(exec: Execution, base: string, signal: string, options: WaitForOptions): string {
  checkKeys(`waitFor "${signal}"`, options, ["timeout", "name"]);
  if (options.name !== undefined) return checkKey(base + stepKey(options.name));
  const count = (exec.waitCounts.get(base) ?? 0) + 1;
  exec.waitCounts.set(base, count);
  return `${base}${count}`;
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
  if (exec.seq >= deps.settings.eventsMax) throw historyLimit(deps, exec);
  if (exec.phase === "running") saveNote(deps, exec, "log", text);
  deps.log?.({ level: "info", message, run: runName(exec), fields });
}

function dice(exec: Execution, label: string): Dice {
  return openDice(`${exec.run.seed}/${exec.run.namespace}/${exec.run.name}/${exec.run.id}/${label}`);
}
