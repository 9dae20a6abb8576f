/** Random operations are answered alike by every store, and one that answers otherwise is found. */
import { describe, expect, it, onTestFinished } from "vitest";
import { useFreshDatabase } from "../../../../scripts/postgres/for-tests.ts";
import type { Store } from "../../src/store/store.ts";
import { type Comparison, compareStores } from "../../src/testing/differential/differential.ts";
import { openModelStore } from "../../src/testing/model-store/model-store.ts";
import { MODEL, openPostgresContender, SQLITE } from "./contenders.ts";

const SEED = 1;
const OPERATIONS = 20_000;
/** Each is a word with a server. */
const POSTGRES_OPERATIONS = 5_000;

/** Every call of the port that answers, every kind of answer to every write, and what is rare. */
const REACHED = {
  calls: `flush ensureVersion listVersions claimRuns resumePaused nextDue listOldestDue listHeldRuns loadMemory
    listInbox listEnded findRun listRuns listHistory listActiveSteps registerWorker renewWorker listWorkers buryWorker
    releaseRuns retireWorker reopenRuns listChildren insertForked addRemark listRemarks
    findBreaker saveBreaker listBreakers updateApproval findApproval listApprovals`,
  answers: `insert_run inserted, insert_run exists, insert_run stale, insert_run refused, checkpoint stored,
    checkpoint stale, checkpoint refused, attempt stored, attempt stale, attempt refused, beat stored, beat stale,
    beat refused, note stored, note stale, progress stored, progress stale, attributes stored, attributes stale,
    attributes refused, post posted, post ended, post unknown_run, wake stored, wake stale, park stored, park stale,
    park unseen, park refused, pause stored, pause stale, release stored, release stale, compensate stored,
    compensate stale, complete stored, complete posted, complete stale, fail stored, fail posted, fail stale,
    cancel stored, cancel posted, cancel stale, runs claimed, suspects claimed, died: freed, left: freed, quarantined,
    reopened, not reopened, fork inserted, fork exists, loadMemory thrown, listRuns thrown, breaker saved, breaker kept`,
};

describe("SQLite and the model", () => {
  it("answer alike", { timeout: 120_000 }, async () => {
    const comparison = await compareStores([MODEL, SQLITE], { seed: SEED, operations: OPERATIONS });
    expect(comparison.divergence?.text ?? null).toBe(null);
    expect(comparison.operations).toBeGreaterThanOrEqual(OPERATIONS);
    const reached = [...REACHED.calls.trim().split(/\s+/), ...REACHED.answers.split(/,\s+/)];
    expect(reached.filter((what) => (comparison.tally[what] ?? 0) < 5)).toEqual([]);
  });
});

describe("PostgreSQL and the model", () => {
  const url = useFreshDatabase();

  it("answer alike", { timeout: 120_000 }, async () => {
    const postgres = await openPostgresContender(url());
    onTestFinished(() => postgres.close());
    const comparison = await compareStores([MODEL, postgres], { seed: SEED, operations: POSTGRES_OPERATIONS });
    expect(comparison.divergence?.text ?? null).toBe(null);
    expect(comparison.operations).toBeGreaterThanOrEqual(POSTGRES_OPERATIONS);
  });
});

/** What a store may get wrong, as something between the model and who asks it. */
const FAULTS: readonly (readonly [name: string, spoil: (store: Store) => Partial<Store>])[] = [
  [
    "takes a stale write for a stored one",
    (store) => ({
      flush: async (writes, nowMs) =>
        (await store.flush(writes, nowMs)).map((result) =>
          result.kind === "stale" ? { kind: "stored", atMs: nowMs ?? 0 } : result,
        ),
    }),
  ],
  ["forgets the heartbeats", (store) => ({ flush: (writes, nowMs) => store.flush(dropValues(writes), nowMs) })],
  [
    "gives those on probation with the others",
    (store) => ({ claimRuns: (by) => store.claimRuns({ ...by, suspects: false }) }),
  ],
  [
    "counts the history wrong",
    (store) => ({
      loadMemory: async (rowId) => {
        const memory = await store.loadMemory(rowId);
        return { ...memory, lastSeq: Math.min(memory.lastSeq, 4) };
      },
    }),
  ],
];

function dropValues(writes: Parameters<Store["flush"]>[0]): Parameters<Store["flush"]>[0] {
  return writes.map((write) => (write.kind === "beat" ? { ...write, value: null } : write));
}

function compareWith(spoil: (store: Store) => Partial<Store>): Promise<Comparison> {
  const openSpoilt = async (): Promise<Store> => {
    const store = openModelStore();
    return { ...store, ...spoil(store) };
  };
  return compareStores([MODEL, { name: "spoilt", open: openSpoilt }], { seed: SEED, operations: OPERATIONS });
}

describe("a store that", () => {
  it.each(FAULTS)("%s is found, by few operations", { timeout: 60_000 }, async (_, spoil) => {
    const { divergence } = await compareWith(spoil);
    expect(divergence?.operations).toBeLessThanOrEqual(30);
    expect(divergence?.text).toContain(`model and spoilt disagree. Seed ${divergence?.seed}`);
    expect(divergence?.text).toMatch(/^ {2}model: .*\n {2}spoilt: .*\nFirst difference of spoilt: at /m);
  });

  it("is the same is not", async () => {
    const comparison = await compareWith(() => ({}));
    expect(comparison.divergence).toBe(null);
  });
});

describe("a comparison", () => {
  it("is decided by its seed", async () => {
    const contenders = [MODEL, SQLITE];
    const [one, again, other] = [
      await compareStores(contenders, { seed: 7, operations: 600 }),
      await compareStores(contenders, { seed: 7, operations: 600 }),
      await compareStores(contenders, { seed: 8, operations: 600 }),
    ];
    expect(one).toEqual(again);
    expect(one.tally).not.toEqual(other.tally);
  });

  it("needs two stores, and tells how far it is", async () => {
    await expect(compareStores([], { seed: 1, operations: 1 })).rejects.toMatchObject({ code: "OPTION_INVALID" });
    const told: number[] = [];
    const comparison = await compareStores([MODEL, SQLITE], {
      seed: 1,
      operations: 400,
      onWorld: (n) => told.push(n),
    });
    expect([comparison.worlds, told.at(-1)]).toEqual([told.length, comparison.operations]);
  });
});
