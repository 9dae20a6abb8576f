/**
 * Fake services: what stands in for the world in a test. A fake does what its function
 * says, fails, dawdles or stays down as it is told, and remembers every call and every effect.
 *
 *     const gateway = fakeService("gateway", { charge: (order: Order, _call: Keyed) => ({ id: `pay_${order.id}` }) });
 *     gateway.charge.failTimes(2);
 *     gateway.delay("2s").honoursKeys();
 *
 * It goes by the clock of the workflow that calls it, and a killed process does not hear from it.
 */
import { inspect } from "node:util";
import type { Duration } from "../../model/duration.ts";
import { parseDuration } from "../../model/duration.ts";
import { PermanentError, StepwellError } from "../../model/errors.ts";
import {
  type Arrival,
  arrive,
  type Conduct,
  type Fault,
  leave,
  newConduct,
  parseCount,
  parseLimit,
  resetConduct,
} from "./conduct.ts";
import { type Caller, findCaller, never } from "./scope.ts";

/** One call of a fake service. */
export type ServiceCall = {
  /** Name of the function, as "gateway.charge". */
  readonly service: string;
  readonly args: readonly unknown[];
  /** What the caller passed as `{ idempotencyKey }`; null: nothing. */
  readonly idempotencyKey: string | null;
  /** The step that called: `namespace/name id key`; null: none. */
  readonly step: string | null;
  /** By the virtual clock; null: outside of a workflow. */
  readonly at: Date | null;
  /**
   * `repeated`: answered from memory, because the key was known. `failed`: nothing was done. `lost`: it was done, and
   * the caller got an error.
   */
  readonly outcome: "pending" | "answered" | "repeated" | "failed" | "lost";
  readonly value: unknown;
  readonly error: unknown;
};

/** Something that a fake service has done, and how often. */
export type Effect = {
  readonly service: string;
  readonly idempotencyKey: string | null;
  readonly args: readonly unknown[];
  readonly times: number;
};

/** How a fake is told to behave. All methods but `up` and `reset` add to what was told before; all return the fake. */
export interface ServiceControls {
  /** The next `times` calls fail before anything is done; by default with a RetryableError. */
  readonly failTimes: (times: number, error?: Fault) => this;
  /** The next `times` calls do what is asked, and then fail: the caller cannot know. */
  readonly loseAnswers: (times: number, error?: Fault) => this;
  /** Every call takes so long, by the virtual clock. */
  readonly delay: (by: Duration) => this;
  /** No call is answered; one that passes `{ signal }` ends when that fires. */
  readonly hang: () => this;
  /** More calls than that fail with a RetryableError that says when to come back. */
  readonly rateLimit: (rate: { readonly limit: number; readonly per: Duration }) => this;
  /** Every call fails, until `up`. */
  readonly down: (error?: Fault) => this;
  /** No more failures, delays or limits. */
  readonly up: () => this;
  /**
   * A call whose `{ idempotencyKey }` is known gets the first answer, and nothing is done again. With other arguments
   * it fails for good, as it would at a payment provider.
   */
  readonly honoursKeys: () => this;
  /** To do it again is harmless, such as reading: `killAfterEveryStep` does not mind repetitions. */
  readonly repeatable: () => this;
  /** As new: no calls, no effects, no conduct. */
  readonly reset: () => this;
  readonly calls: readonly ServiceCall[];
  readonly effects: readonly Effect[];
  /** Repetitions are harmless, see `repeatable`. */
  readonly harmless: boolean;
}

/** A function of a service, as its callers know it. */
type Work = (...args: never[]) => unknown;

/** A fake function: called like the one it stands for, and told how to behave. */
export type FakeFunction<F extends Work> = ServiceControls &
  ((...args: Parameters<F>) => Promise<Awaited<ReturnType<F>>>);

/** Fake functions that are one service: told together, or one by one. */
export type FakeService<S extends Readonly<Record<string, Work>>> = ServiceControls & {
  readonly [K in keyof S]: FakeFunction<S[K]>;
};

/** Any fake, as `killAfterEveryStep` takes it. */
export type AnyFake = Pick<ServiceControls, "effects" | "harmless">;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** A fake function from inside. */
type Fake = {
  readonly name: string;
  readonly work: (...args: unknown[]) => unknown;
  /** Its own, and that of its service. */
  readonly conducts: readonly Conduct[];
  readonly calls: Mutable<ServiceCall>[];
  readonly effects: Map<string, Mutable<Effect>>;
  /** First answers by key. */
  readonly answers: Map<string, { readonly asked: string; readonly answer: Promise<unknown> }>;
  /** Of the function and of its service. */
  honours: boolean;
  harmless: boolean;
};

/** A fake of one function, or of a service of several. `name` is what reports call it. */
export function fakeService<F extends Work>(name: string, work: F): FakeFunction<F>;
export function fakeService<S extends Readonly<Record<string, Work>>>(name: string, functions: S): FakeService<S>;
export function fakeService(name: string, work: Work | Readonly<Record<string, Work>>): unknown {
  if (typeof work === "function") return fakeFunction(newFake(name, work, []));
  const shared = newConduct();
  const fakes: Fake[] = [];
  const functions = Object.entries(work).map(([key, each]) => {
    if (CONTROLS.includes(key)) {
      throw new StepwellError(
        "OPTION_INVALID",
        `fake ${name} cannot have a function "${key}": it is how fakes are told.`,
      );
    }
    const fake = newFake(`${name}.${key}`, each, [shared]);
    fakes.push(fake);
    return [key, fakeFunction(fake)] as const;
  });
  return withControls(Object.fromEntries(functions), shared, fakes);
}

const CONTROLS: readonly string[] = [
  ...["failTimes", "loseAnswers", "delay", "hang", "rateLimit", "down", "up", "honoursKeys", "repeatable", "reset"],
  ...["calls", "effects", "harmless"],
];

function newFake(name: string, work: Work, shared: readonly Conduct[]): Fake {
  return {
    name,
    work: work as Fake["work"],
    conducts: [newConduct(), ...shared],
    calls: [],
    effects: new Map(),
    answers: new Map(),
    honours: false,
    harmless: false,
  };
}

function fakeFunction(fake: Fake): unknown {
  return withControls((...args: unknown[]) => callFake(fake, args), fake.conducts[0]!, [fake]);
}

/** `conduct` is what is told; `fakes` are those whose memory it is about. */
function withControls(target: object, conduct: Conduct, fakes: readonly Fake[]): unknown {
  const where = fakes[0]?.name ?? "a service without functions";
  const tell =
    <A extends unknown[]>(change: (...args: A) => void) =>
    (...args: A) => {
      change(...args);
      return target;
    };
  const controls = {
    failTimes: tell((times: number, fault: Fault = "") => {
      conduct.failures.push({ left: parseCount(times, `failTimes of ${where}`), fault });
    }),
    loseAnswers: tell((times: number, fault: Fault = "") => {
      conduct.losses.push({ left: parseCount(times, `loseAnswers of ${where}`), fault });
    }),
    delay: tell((by: Duration) => void (conduct.delayMs = parseDuration(by, `delay of ${where}`))),
    hang: tell(() => void (conduct.hanging = true)),
    rateLimit: tell((rate: { limit: number; per: Duration }) => {
      conduct.limit = parseLimit(rate, `rateLimit of ${where}`);
    }),
    down: tell((fault: Fault = "") => void (conduct.down = fault)),
    up: tell(() => resetConduct(conduct)),
    honoursKeys: tell(() => fakes.forEach((fake) => (fake.honours = true))),
    repeatable: tell(() => fakes.forEach((fake) => (fake.harmless = true))),
    reset: tell(() => {
      resetConduct(conduct);
      fakes.forEach(forget);
    }),
  };
  return Object.defineProperties(Object.assign(target, controls), {
    calls: { get: () => callsOf(fakes), enumerable: true },
    effects: { get: () => fakes.flatMap((fake) => [...fake.effects.values()]), enumerable: true },
    harmless: { get: () => fakes.every((fake) => fake.harmless), enumerable: true },
  });
}

function forget(fake: Fake): void {
  fake.calls.length = 0;
  fake.effects.clear();
  fake.answers.clear();
  for (const conduct of fake.conducts) resetConduct(conduct);
  fake.honours = false;
  fake.harmless = false;
}

/** In the order of their moments; those of one function in the order of the calls. */
function callsOf(fakes: readonly Fake[]): readonly ServiceCall[] {
  if (fakes.length === 1) return [...fakes[0]!.calls];
  return fakes.flatMap((fake) => fake.calls).sort((a, b) => (a.at?.getTime() ?? 0) - (b.at?.getTime() ?? 0));
}

async function callFake(fake: Fake, args: readonly unknown[]): Promise<unknown> {
  const caller = findCaller();
  if (caller?.alive() === false) return never();
  const call = newCall(fake, args, caller);
  fake.calls.push(call);
  const arrival: Arrival = { service: fake.name, number: fake.calls.length, caller, signal: signalIn(args) };
  try {
    await arrive(fake.conducts, arrival);
    const value = await answer(fake, call);
    call.value = value;
    caller?.reach({ kind: "effect", service: fake.name });
    if (caller?.alive() === false) return await never();
    call.outcome = call.outcome === "repeated" ? "repeated" : "lost";
    leave(fake.conducts, arrival);
    if (call.outcome === "lost") call.outcome = "answered";
    return value;
  } catch (error) {
    if (caller?.alive() === false) return never();
    if (call.outcome === "pending") call.outcome = "failed";
    call.error = error;
    throw error;
  }
}

function newCall(fake: Fake, args: readonly unknown[], caller: Caller | undefined): Mutable<ServiceCall> {
  return {
    service: fake.name,
    args,
    idempotencyKey: keyIn(args),
    step: caller?.code?.step ?? null,
    at: caller === undefined ? null : new Date(caller.nowMs()),
    outcome: "pending",
    value: undefined,
    error: null,
  };
}

/** Do it, or, when the key is known, answer as the first time. */
async function answer(fake: Fake, call: Mutable<ServiceCall>): Promise<unknown> {
  const { idempotencyKey: key } = call;
  if (!fake.honours || key === null) return act(fake, call);
  const asked = inspectArgs(call.args);
  const known = fake.answers.get(key);
  if (known !== undefined) {
    if (known.asked !== asked) throw conflict(fake, key);
    call.outcome = "repeated";
    return known.answer;
  }
  const first = act(fake, call);
  fake.answers.set(key, { asked, answer: first });
  first.catch(() => fake.answers.delete(key));
  return first;
}

/** What throws has no effect. */
async function act(fake: Fake, call: ServiceCall): Promise<unknown> {
  const value: unknown = await fake.work(...call.args);
  const { service, idempotencyKey, args } = call;
  const identity = idempotencyKey ?? inspectArgs(args);
  const effect = fake.effects.get(identity) ?? { service, idempotencyKey, args, times: 0 };
  effect.times += 1;
  fake.effects.set(identity, effect);
  return value;
}

function conflict(fake: Fake, key: string): Error {
  const what = `${fake.name} knows the key ${JSON.stringify(key)} from a call with other arguments`;
  return new PermanentError(what, { code: "IDEMPOTENCY_KEY_REUSED" });
}

/** The arguments as text, without what says how to call: keys, signals, a step's context as a whole. */
function inspectArgs(args: readonly unknown[]): string {
  const asked = args.map((arg) => {
    if (isStepContext(arg)) return null;
    if (optionIn(arg, "idempotencyKey") === undefined && optionIn(arg, "signal") === undefined) return arg;
    const { idempotencyKey: _key, signal: _signal, ...rest } = arg as Readonly<Record<string, unknown>>;
    return rest;
  });
  return inspect(asked, { depth: 10, sorted: true, breakLength: Infinity, maxStringLength: 10_000 });
}

/** Its key is not its own: it is made when asked for. */
function isStepContext(arg: unknown): boolean {
  return optionIn(arg, "idempotencyKey") !== undefined && !Object.hasOwn(arg as object, "idempotencyKey");
}

function keyIn(args: readonly unknown[]): string | null {
  const key = args.map((arg) => optionIn(arg, "idempotencyKey")).find((found) => typeof found === "string");
  return typeof key === "string" ? key : null;
}

function signalIn(args: readonly unknown[]): AbortSignal | undefined {
  const signal = args.map((arg) => optionIn(arg, "signal")).find((found) => found instanceof AbortSignal);
  return signal instanceof AbortSignal ? signal : undefined;
}

function optionIn(arg: unknown, name: string): unknown {
  return typeof arg === "object" && arg !== null ? (arg as Readonly<Record<string, unknown>>)[name] : undefined;
}
