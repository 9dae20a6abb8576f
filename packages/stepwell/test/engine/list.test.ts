/** engine.list: what a filter asks for, exactly, over pages; and refusals that name place and cure. */
import fc from "fast-check";
import { expect, it } from "vitest";
import type { Engine } from "../../src/engine/engine.ts";
import type { ListFilter } from "../../src/engine/list.ts";
import { type RunState, workflow } from "../../src/index.ts";
import type { Attributes } from "../../src/model/run.ts";
import type { Transition } from "../../src/model/transition.ts";
import type { Store } from "../../src/store/store.ts";
import { ON_POSTGRES, openWorld } from "./harness.ts";

type Known = {
  readonly id: string;
  readonly namespace: string;
  readonly name: string;
  readonly state: RunState;
  readonly createdAtMs: number;
  readonly attributes: Attributes;
};

const NAMES = [
  ["a", "one"],
  ["a", "two"],
  ["b", "one"],
] as const;
const VALUES = ["1", 1, true] as const;
const TRANSITIONS: readonly (readonly [RunState, Transition | null])[] = [
  ["running", null],
  ["completed", { kind: "complete", output: "1" }],
  ["failed", { kind: "fail", error: '{"name":"E","message":"m","retryable":false}' }],
  ["cancelled", { kind: "cancel", error: '{"name":"E","message":"m","retryable":false}' }],
  ["paused", { kind: "pause", error: '{"name":"E","message":"m","retryable":false}' }],
  ["waiting", { kind: "park", state: "waiting", dueAtMs: null, waitingFor: [], inboxSeen: 0 }],
];

const oneAttributes = fc.record(
  { colour: fc.constantFrom(...VALUES), size: fc.constantFrom(...VALUES) },
  { requiredKeys: [] },
);

/** A run as it will stand in the store. */
const oneRun = fc.record({
  version: fc.constantFrom(...NAMES.keys()),
  turn: fc.constantFrom(...TRANSITIONS.keys()),
  createdAtMs: fc.integer({ min: 1_000, max: 1_003 }),
  attributes: oneAttributes,
});

const wholeFilter = fc.record({
  workflow: fc.constantFrom("a/one", "b/one", "b/two"),
  state: fc.oneof(
    fc.constantFrom<RunState>("completed", "waiting"),
    fc.subarray<RunState>(["running", "completed", "failed", "paused", "waiting", "pending"]),
  ),
  createdAfter: fc.integer({ min: 999, max: 1_004 }),
  createdBefore: fc.integer({ min: 1_000, max: 1_005 }),
  attributes: oneAttributes,
});

/** Few fields at a time, so that something is found as a rule. */
const oneFilter: fc.Arbitrary<ListFilter> = fc
  .tuple(
    wholeFilter,
    fc.subarray(["workflow", "state", "createdAfter", "createdBefore", "attributes"], { maxLength: 3 }),
  )
  .map(([filter, fields]) => Object.fromEntries(Object.entries(filter).filter(([field]) => fields.includes(field))));

async function keepRuns(store: Store, runs: readonly (typeof oneRun extends fc.Arbitrary<infer R> ? R : never)[]) {
  const who = { name: "w", host: "h", bootId: "b", pid: 1, pidNamespace: "n", pidStartedAt: "0" };
  const workerId = await store.registerWorker(who, { concurrency: 1, workflows: [], leaseMs: 1_000_000 }, 1_000);
  const known: Known[] = [];
  for (const [index, { version, turn, createdAtMs, attributes }] of runs.entries()) {
    const [namespace, name] = NAMES[version]!;
    const [state, transition] = TRANSITIONS[turn]!;
    const { versionId } = await store.ensureVersion({ namespace, name, version: "1.0.0" });
    const id = `r${index}`;
    const run = { versionId, id, input: "1", inputHash: null, actor: "x", seed: 1, parent: null, timeoutMs: null };
    const [result] = await store.flush([{ kind: "insert_run", run, claimFor: workerId, owner: null }], createdAtMs);
    if (result?.kind !== "inserted") throw new RangeError("not inserted");
    const owner = { rowId: result.rowId, workerId, fence: 1 };
    await store.flush([{ kind: "attributes", owner, values: JSON.stringify(attributes) }], 1_000);
    const turning = { kind: "transition", owner, seq: 2, consumes: null, parent: null } as const;
    if (transition !== null) await store.flush([{ ...turning, transition }], 1_000);
    known.unshift({ id, namespace, name, state, createdAtMs, attributes: attributes });
  }
  return known;
}

function fits(
  run: Known,
  { workflow: name, state, createdAfter, createdBefore, attributes = {} }: ListFilter,
): boolean {
  if (name !== undefined && `${run.namespace}/${run.name}` !== name) return false;
  if (state !== undefined && !(typeof state === "string" ? [state] : state).includes(run.state)) return false;
  if (createdAfter !== undefined && run.createdAtMs < Number(createdAfter)) return false;
  if (createdBefore !== undefined && run.createdAtMs >= Number(createdBefore)) return false;
  return Object.entries(attributes).every(([key, value]) => run.attributes[key] === value);
}

async function listAll(engine: Engine, filter: ListFilter): Promise<string[]> {
  const found: string[] = [];
  let cursor: string | null = null;
  do {
    const page: Awaited<ReturnType<Engine["list"]>> = await engine.list({ ...filter, cursor });
    expect(page.runs.length).toBeLessThanOrEqual(filter.limit ?? 100);
    found.push(...page.runs.map((run) => run.id));
    cursor = page.cursor;
  } while (cursor !== null);
  return found;
}

it("gives exactly what a filter asks for, newest first, whatever the filter and the size of pages", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(oneRun, { maxLength: 25 }),
      fc.array(fc.tuple(oneFilter, fc.integer({ min: 1, max: 30 })), { minLength: 5, maxLength: 5 }),
      async (runs, filters) => {
        const world = await openWorld();
        const { engine } = await world.open();
        const known = await keepRuns(world.store, runs);
        for (const [filter, limit] of filters) {
          const expected = known.filter((run) => fits(run, filter)).map((run) => run.id);
          expect(await listAll(engine, { ...filter, limit })).toEqual(expected);
        }
        await world.store.close();
      },
    ),
    { numRuns: ON_POSTGRES ? 15 : 100 },
  );
});

it("looks at so many runs for one page only, and its cursor goes on from there", async () => {
  const world = await openWorld();
  const { versionId } = await world.store.ensureVersion({ namespace: "a", name: "one", version: "1.0.0" });
  const base = { versionId, input: "1", inputHash: null, actor: "x", seed: 1, parent: null, timeoutMs: null };
  for (let batch = 0; batch < 45; batch += 1) {
    const writes = Array.from({ length: 1_000 }, (_, index) => {
      const run = { ...base, id: `${batch}.${index}` };
      return { kind: "insert_run", run, claimFor: null, owner: null } as const;
    });
    await world.store.flush(writes, world.nowMs() + batch);
  }
  const cursors: (number | null)[] = [];
  let beforeRowId: number | null = Number.MAX_SAFE_INTEGER;
  while (beforeRowId !== null) {
    const page = await world.store.listRuns({ states: ["failed"], limit: 10, beforeRowId });
    expect(page.runs).toEqual([]);
    cursors.push((beforeRowId = page.beforeRowId));
  }
  expect(cursors).toEqual([35_001, 25_001, 15_001, 5_001, null]);
  const { engine } = await world.open();
  const oldest = { createdBefore: new Date(world.nowMs() + 1), limit: 3 };
  expect((await engine.list(oldest)).runs.map((run) => run.id)).toEqual(["0.999", "0.998", "0.997"]);
  const { runs, cursor } = await engine.list({ limit: 2 });
  expect(runs.map((run) => run.id)).toEqual(["44.999", "44.998"]);
  expect((await engine.list({ limit: 1, cursor })).runs[0]?.id).toBe("44.997");
});

it("lists by what the body has set, by namespace, and with the texts of moments", async () => {
  const world = await openWorld();
  const w = workflow("shop/order", { version: "1.0.0" }, async (ctx, region: string) => {
    ctx.set({ region, express: true });
    await ctx.step("pay", () => 1);
    ctx.set({ region: null, paid: true });
  });
  const { engine } = await world.open({ workflows: [w] });
  await engine.run(w, "eu");
  const find = async (filter: ListFilter) => (await engine.list(filter)).runs.length;
  expect(await find({ attributes: { express: true, paid: true } })).toBe(1);
  expect(await find({ attributes: { region: "eu" } })).toBe(0);
  expect(await find({ attributes: { express: "true" } })).toBe(0);
  expect(await find({ namespace: "shop", workflow: "order" })).toBe(1);
  expect(await find({ workflow: w, createdAfter: "1970-01-01", createdBefore: "1970-01-02T00:00:00Z" })).toBe(1);
  expect((await engine.list({ namespace: "shop" })).runs[0]?.attributes).toEqual({ express: true, paid: true });
  const id = (await engine.list()).runs[0]!.id;
  expect((await engine.history(w, id)).map((event) => event.kind)).toEqual(["started", "step", "ended"]);
  await expect(engine.history(w, "nobody")).rejects.toMatchObject({ code: "RUN_NOT_FOUND" });
});

it.each<[unknown, string, string]>([
  [{ worflow: "a" }, "OPTION_UNKNOWN", 'did you mean "workflow"?'],
  [{ state: "complete" }, "OPTION_INVALID", 'there is no state "complete"; did you mean "completed"?'],
  [{ state: 5 }, "OPTION_INVALID", "state must be a text or an array of texts"],
  [{ state: [5] }, "OPTION_INVALID", "there is no state 5; they are pending, running"],
  [{ state: "nonsense" }, "OPTION_INVALID", 'there is no state "nonsense"; they are pending, running'],
  [{ workflow: "A/B" }, "WORKFLOW_INVALID", "workflow of list"],
  [{ namespace: "no way" }, "WORKFLOW_INVALID", "namespace of list"],
  [{ workflow: "a/one", namespace: "b" }, "OPTION_INVALID", "leave one of them out"],
  [{ createdAfter: "yesterday" }, "OPTION_INVALID", "createdAfter must be a Date, epoch milliseconds or a text like"],
  [{ createdBefore: new Date(Number.NaN) }, "OPTION_INVALID", "createdBefore"],
  [{ createdBefore: true }, "OPTION_INVALID", "got true"],
  [{ attributes: { "no good": 1 } }, "ATTRIBUTE_INVALID", "attributes of list"],
  [{ attributes: { gone: null } }, "ATTRIBUTE_INVALID", '"gone" is null, which no run has'],
  [{ attributes: [] }, "ATTRIBUTE_INVALID", "must be an object"],
  [{ limit: 0 }, "OPTION_INVALID", "limit must be a whole number from 1 to 1000, got 0"],
  [{ limit: 1_001 }, "OPTION_INVALID", "got 1001"],
  [{ cursor: 7 }, "OPTION_INVALID", "cursor 7 is none that list has given"],
  [{ cursor: "?" }, "OPTION_INVALID", 'cursor "?" is none that list has given'],
  [{ cursor: "zz.12345678" }, "OPTION_INVALID", "cursor belongs to a page of another filter"],
])("refuses %j, naming place and cure", async (filter, code, part) => {
  const world = await openWorld();
  const { engine } = await world.open();
  const message = expect.stringContaining(part) as unknown;
  await expect(engine.list(filter as ListFilter)).rejects.toMatchObject({ code, message });
});
