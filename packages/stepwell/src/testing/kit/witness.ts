/**
 * Witness: what remains of a run when it is over, as facts that can be compared: how every
 * run ended, what every step gave, and what the services did, and how often. A value of
 * several parts is several facts, so that one part which is a matter of chance spoils no other.
 */
import { isDeepStrictEqual } from "node:util";
import type { RunHandle } from "../../engine/handle.ts";
import type { AnyFake, Effect } from "./service.ts";
import type { TestEngine } from "./test-engine.ts";
import { showValue } from "./timeline.ts";

/** `of` is the whole value that the fact is a part of, `group` what comes and goes with it. */
type Fact = { readonly value: unknown; readonly of: string; readonly group: string };

/** Facts by name. */
export type Witness = ReadonlyMap<string, Fact>;

/** A fact that two witnesses do not agree on. Undefined: not there. */
export type Difference = { readonly fact: string; readonly expected: unknown; readonly actual: unknown };

/** Names of facts, of whole values and of groups that are not the same twice, even if nothing disturbs the run. */
export type Unstable = ReadonlySet<string>;

/** Runs looked at. */
const RUNS_MAX = 1_000;

/** Read all runs of an engine, and the effects of services. */
export async function readWitness(t: TestEngine, services: readonly AnyFake[]): Promise<Witness> {
  const witness = new Map<string, Fact>();
  const add = (group: string, of: string, value: unknown): void => {
    for (const [path, leaf] of leavesOf(value)) {
      witness.set(path === "" ? of : `${of}: ${path}`, { value: leaf, of, group });
    }
  };
  const { runs } = await t.engine.list({ limit: RUNS_MAX });
  for (const { workflow, id } of runs) {
    await readRun(await t.get(workflow, id), add);
  }
  for (const service of services) {
    for (const effect of service.effects) {
      add(
        `effects of ${effect.service}`,
        nameEffect(effect),
        service.harmless ? "has happened" : asTimes(effect.times),
      );
    }
  }
  return witness;
}

async function readRun(run: RunHandle, add: (group: string, of: string, value: unknown) => void): Promise<void> {
  const name = `${run.workflow} ${run.id}`;
  const { state, output, error } = await run.status();
  add("runs", `how ${name} ended`, state);
  add("runs", `the end of ${name}`, error === null ? { output } : { error: plainError(error) });
  for (const event of await run.history()) {
    if (event.kind !== "step") continue;
    const value = event.value instanceof Error ? plainError(event.value) : event.value;
    add(`steps of ${name}`, `${event.step} "${event.key}" of ${name}`, { outcome: event.outcome, value });
  }
}

/** Without the stack, which differs from process to process. */
function plainError(error: Error): unknown {
  const { code, details } = error as { readonly code?: unknown; readonly details?: unknown };
  return { name: error.name, code, message: error.message, details };
}

function nameEffect({ service, idempotencyKey, args }: Effect): string {
  if (idempotencyKey !== null) return `effect of ${service} under the key "${idempotencyKey}"`;
  return `effect of ${service}(${args.map(showValue).join(", ")})`;
}

function asTimes(times: number): string {
  return times === 1 ? "has happened once" : `has happened ${times} times`;
}

/** The parts of a value that have no parts, by path. */
function leavesOf(value: unknown, path = ""): readonly (readonly [path: string, leaf: unknown])[] {
  const below = Array.isArray(value)
    ? value.map((item: unknown, index) => [`${path}[${index}]`, item] as const)
    : isPlain(value)
      ? Object.entries(value).map(([key, item]) => [path === "" ? key : `${path}.${key}`, item] as const)
      : [];
  return below.length === 0 ? [[path, value]] : below.flatMap(([path, item]) => leavesOf(item, path));
}

function isPlain(value: unknown): value is object {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

/** What two undisturbed runs do not agree on. Where a fact comes and goes, so may its neighbours. */
export function findUnstable(some: Witness, others: Witness): Unstable {
  const unstable = new Set<string>();
  for (const { fact } of differences(some, others, new Set())) {
    const [a, b] = [some.get(fact), others.get(fact)];
    const { of, group } = (a ?? b)!;
    if (a !== undefined && b !== undefined) unstable.add(fact);
    else unstable.add(holds(some, of) && holds(others, of) ? of : group);
  }
  return unstable;
}

function holds(witness: Witness, of: string): boolean {
  return witness.values().some((fact) => fact.of === of);
}

/** Unstable facts only have to be there; of unstable values and groups nothing is compared. */
export function differences(expected: Witness, actual: Witness, unstable: Unstable): readonly Difference[] {
  return [...new Set([...expected.keys(), ...actual.keys()])].flatMap((fact): Difference[] => {
    const [a, b] = [expected.get(fact), actual.get(fact)];
    const { of, group } = (a ?? b)!;
    if (unstable.has(group) || (of !== fact && unstable.has(of))) return [];
    if (a !== undefined && b !== undefined && (unstable.has(fact) || isDeepStrictEqual(a.value, b.value))) return [];
    return [{ fact, expected: a?.value, actual: b?.value }];
  });
}
