/**
 * Context: the ctx that a body is given. Every method names the call and hands it to
 * the file that performs it.
 */
import type { AttributeChanges } from "../model/attributes.ts";
import { type Dice, openDice } from "../model/dice.ts";
import { parseDuration, parseMoment } from "../model/duration.ts";
import { StepwellError } from "../model/errors.ts";
import { decode, encode } from "../model/json.ts";
import { checkKey, scopedKey, stepKey, type StepName } from "../model/key.ts";
import { checkKeys } from "../model/options.ts";
import { RETRY_DEFAULT } from "../model/retry.ts";
import { askFor, checkCaller, openCall } from "./ask.ts";
import type { StepWork } from "./attempt.ts";
import { setAttributes } from "./attributes.ts";
import { openBinder } from "./bound.ts";
import { type CallConfig, newCallConfig } from "./chain.ts";
import { type ApproveOptions, toPlan } from "./approval-plan.ts";
import { performApprove } from "./approve.ts";
import { performRun, performStart } from "./children.ts";
import type { Deps } from "./deps.ts";
import { type EachBody, eachItem } from "./each.ts";
import { added, type Execution, runName } from "./execution.ts";
import { type Handler, handlerWork, isHandler } from "./handler.ts";
import { allOf } from "./lanes.ts";
import { mapItems, type MapWork } from "./map.ts";
import { checkContenders, type Contenders, performRace } from "./race.ts";
import { saveNote, saveProgress } from "./record.ts";
import {
  breakerOf,
  diceLabel,
  retryOf,
  ROOT,
  type Scope,
  type StepDefaults,
  timeoutOf,
  waitBase,
  withDefaults,
} from "./scope.ts";
import { type Call, historyLimit, performStep } from "./steps.ts";
import { performTx, type TxWork } from "./tx.ts";
import { performNow, performSleep, performSleepUntil, performWaitFor } from "./waiting.ts";
import type { Ctx, EachOptions, MapOptions, Workflow } from "./workflow.ts";

/** The ctx of one execution; or of a scope of it, see scope.ts. */
export function openContext(deps: Deps, exec: Execution, scope: Scope = ROOT): Ctx<never> {
  return bind({ deps, exec, scope }) as Ctx<never>;
}

/** Whose ctx it is, and where it stands. */
type Door = { readonly deps: Deps; readonly exec: Execution; readonly scope: Scope };

type WaitForOptions = { readonly timeout?: number | string; readonly name?: string };

/** Same members as Ctx, whose generics the implementation neither needs nor can express. */
type Methods = { readonly [K in MethodNames]: (door: Door, ...args: never[]) => unknown };
type Values = { readonly [K in Exclude<keyof Ctx, MethodNames>]: (door: Door) => unknown };
type MethodNames = { [K in keyof Ctx]: Ctx[K] extends (...args: never[]) => unknown ? K : never }[keyof Ctx];

const VALUES: Values = {
  runId: ({ exec }) => exec.run.id,
  workflow: ({ exec: { workflow } }) => ({
    namespace: workflow.namespace,
    name: workflow.name,
    version: workflow.version,
  }),
  version: ({ exec }) => exec.run.version,
  actor: ({ exec }) => exec.run.actor,
  input: ({ exec }) => decode(exec.run.input),
};

const METHODS: Methods = {
  step,
  tx,
  map: (door, name: string, items: readonly unknown[], ...[options, work]: [MapOptions<unknown>, MapWork]) =>
    mapItems(door.deps, door.exec, items, { scope: door.scope, name, options, work }),
  each: (door, name: string, items: readonly unknown[], ...[options, body]: [EachOptions<unknown>, EachBody]) =>
    eachItem(door.deps, door.exec, items, { scope: door.scope, name, options, body, openContext }),
  sleep: (door, timer: StepName, duration: string | number) =>
    open(door, timer, "sleep", performSleep(parseDuration(duration, `sleep "${String(timer)}"`))),
  sleepUntil: (door, timer: StepName, moment: Date | number) =>
    open(door, timer, "sleep", performSleepUntil(parseMoment(moment, `sleepUntil "${String(timer)}"`))),
  waitFor,
  approve: (door, name: StepName, options: ApproveOptions) => {
    const { actor } = door.exec.run;
    const plan = toPlan(`approve "${String(name)}"`, options, actor, door.deps.settings.limits);
    return open(door, name, "approval", performApprove(plan));
  },
  all: (_door, calls: Parameters<typeof allOf>[0]) => allOf(calls),
  race: (door, race: StepName, contenders: Contenders) => {
    checkContenders(String(race), contenders);
    return open(door, race, "race", performRace(contenders));
  },
  run: (door, key: StepName, workflow: Workflow, input: unknown) =>
    open(door, key, "child", performRun({ workflow, input, id: null })),
  start: (door, key: StepName, workflow: Workflow, ...[input, options = {}]: [unknown, { readonly id?: string }?]) => {
    checkKeys(`ctx.start "${String(key)}"`, options, ["id"]);
    return open(door, key, "start", performStart({ workflow, input, id: options.id ?? null }));
  },
  now: (door, key: StepName) => open(door, key, "now", performNow),
  uuid: ({ exec, scope }, label: string) => dice(exec, diceLabel(scope, "uuid", label)).uuid(),
  random: ({ exec, scope }, label: string) => dice(exec, diceLabel(scope, "random", label)).next(),
  set: ({ deps, exec }, attributes: AttributeChanges) => {
    checkCaller(deps, exec);
    setAttributes(deps, exec, attributes);
  },
  progress: ({ deps, exec }, value: unknown) => showProgress(deps, exec, value),
  log: ({ deps, exec }, message: string, fields = {}) => log(deps, exec, message, fields),
  with: ({ deps, exec, scope }, defaults: StepDefaults) => openContext(deps, exec, withDefaults(scope, defaults)),
};

const bind = openBinder<Door>({ methods: METHODS, values: VALUES });

/** The three forms of `ctx.step`. */
function step(door: Door, first: StepName | Handler, second: unknown, third: unknown): Promise<unknown> {
  if (isHandler(first)) return stepOf(door, first.name, handlerWork(first, second), first);
  if (isHandler(second)) return stepOf(door, first, handlerWork(second, third), second);
  if (typeof second !== "function") {
    throw new StepwellError("OPTION_INVALID", `step "${String(first)}" got no function.`);
  }
  return stepOf(door, first, second as StepWork, null);
}

function stepOf(door: Door, name: StepName, work: StepWork, handler: Handler | null): Promise<unknown> {
  const { deps, exec, scope } = door;
  const key = askFor(deps, exec, scopedKey(scope.prefix, name));
  const config = newCallConfig(`step "${key}"`, retryOf(scope, handler), timeoutOf(scope, handler));
  config.breaker = breakerOf(scope, handler);
  if (handler !== null) config.onUncertain = handler.onUncertain;
  if (handler !== null) config.heartbeatMs = handler.heartbeatMs;
  return openCall(deps, exec, { key, base: scope.prefix, kind: "step", config, perform: performStep(work) });
}

function tx(door: Door, name: StepName, work: TxWork): Promise<unknown> {
  const { deps, exec, scope } = door;
  if (typeof work !== "function") throw new StepwellError("OPTION_INVALID", `tx "${String(name)}" got no function.`);
  const key = askFor(deps, exec, scopedKey(scope.prefix, name));
  const config = newCallConfig(`tx "${key}"`, scope.retry, null);
  return openCall(deps, exec, { key, base: scope.prefix, kind: "tx", config, perform: performTx(work) });
}

function waitFor(door: Door, signal: { readonly name: string }, options: WaitForOptions = {}): Promise<unknown> {
  const { deps, exec, scope } = door;
  const base = waitBase(scope, signal.name);
  const perform = performWaitFor(signal.name, timeoutMs(signal.name, options));
  const key = askFor(deps, exec, waitKey(exec, base, signal.name, options));
  return openCall(deps, exec, { key, base, kind: "signal", config: plainConfig(key), perform });
}

/** A call with a name and nothing else to configure. */
function open(door: Door, name: StepName, kind: Call["kind"], perform: Call["perform"]): Promise<unknown> {
  const { deps, exec, scope } = door;
  const key = askFor(deps, exec, scopedKey(scope.prefix, name));
  return openCall(deps, exec, { key, base: scope.prefix, kind, config: plainConfig(key), perform });
}

function plainConfig(key: string): CallConfig {
  return newCallConfig(`"${key}"`, RETRY_DEFAULT, null);
}

/** Of the n-th wait of a signal n, of a named one its name, after what both begin with. */
function waitKey(exec: Execution, base: string, signal: string, options: WaitForOptions): string {
  checkKeys(`waitFor "${signal}"`, options, ["timeout", "name"]);
  if (options.name !== undefined) return checkKey(base + stepKey(options.name));
  const count = (exec.waitCounts.get(base) ?? 0) + 1;
  exec.waitCounts = added(exec.waitCounts, base, count);
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
  if (exec.phase === "running") saveNote(deps, exec, { note: "log", value: text });
  deps.log?.({ level: "info", message, run: runName(exec), fields });
}

function dice(exec: Execution, label: string): Dice {
  return openDice(`${exec.run.seed}/${exec.run.namespace}/${exec.run.name}/${exec.origin ?? exec.run.id}/${label}`);
}
