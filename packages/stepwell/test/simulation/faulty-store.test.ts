/** What callers are told, and what the store really did, in every kind of weather. */
import { describe, expect, it } from "vitest";
import { openDice } from "../../src/model/dice.ts";
import { openSqliteStore } from "../../src/store/sqlite/sqlite.ts";
import type { Store } from "../../src/store/store.ts";
import type { Write } from "../../src/store/write.ts";
import type { StoreRecord } from "../../src/testing/simulation/evidence.ts";
import { FAIR_WEATHER, type Weather } from "../../src/testing/simulation/faulty-line.ts";
import { openFaultyStore } from "../../src/testing/simulation/faulty-store.ts";
import { type Kernel, openKernel, type Process } from "../../src/testing/simulation/kernel.ts";

type Setup = {
  readonly kernel: Kernel;
  readonly caller: Process;
  readonly store: Store;
  readonly real: Store;
  readonly records: StoreRecord[];
};

async function setup(seed: string, weather: () => Weather, remote = false): Promise<Setup> {
  const dice = openDice(seed);
  const kernel = openKernel({
    dice: dice.split("kernel"),
    drain: () => new Promise((resolve) => setImmediate(resolve)),
    thrown: (_, error) => {
      throw error;
    },
  });
  const real = await openSqliteStore(":memory:", {});
  const records: StoreRecord[] = [];
  let order = 0;
  const disk = {
    ...{ store: real, remote, weather, nowMs: () => 1_000_000 + kernel.nowMs(), trueMs: kernel.nowMs },
    process: kernel.openProcess("disk"),
    tick: () => (order += 1),
    keep: (record: StoreRecord) => void records.push(record),
    watching: new Set<never>(),
    openTxs: new Set<never>(),
  };
  const caller = kernel.openProcess("caller");
  const hostMs = (): number => 5;
  return { kernel, caller, real, records, store: openFaultyStore(disk, caller, dice.split("store"), hostMs) };
}

/** What became of a promise once nothing is left to happen. */
async function outcomeOf(kernel: Kernel, promise: Promise<unknown>): Promise<string> {
  let outcome = "never";
  promise.then(
    () => (outcome = "answered"),
    (error: unknown) => (outcome = String((error as { readonly code?: unknown }).code)),
  );
  await kernel.run(() => false, 1_000_000);
  return outcome;
}

async function aStart(real: Store): Promise<Write> {
  const { versionId } = await real.ensureVersion({ namespace: "sim", name: "order", version: "1.0.0" });
  const who = { actor: "test", seed: 1, parent: null, timeoutMs: null };
  const run = { versionId, id: "o-1", input: "null", inputHash: null, ...who };
  return { kind: "insert_run", run, claimFor: null, owner: null };
}

const always = (weather: Partial<Weather>) => (): Weather => ({ ...FAIR_WEATHER, ...weather });
const SEEDS = Array.from({ length: 24 }, (_, index) => `seed ${index}`);

describe("faulty store", () => {
  it("answers in fair weather, and records what was done and when the caller knew it", async () => {
    const { kernel, store, real, records } = await setup("fair", always({}));
    expect(await outcomeOf(kernel, store.flush([await aStart(real)], 5))).toBe("answered");
    expect(records.map((record) => [record.kind, record.process, record.knownAt !== null])).toEqual([
      ["flush", "caller", true],
    ]);
    expect((await real.listRuns({ limit: 10 })).runs).toHaveLength(1);
  });

  it("applies nothing when it says that it failed", async () => {
    for (const seed of SEEDS) {
      const { kernel, store, real, records } = await setup(seed, always({ failure: 1 }));
      expect(await outcomeOf(kernel, store.flush([await aStart(real)], 5))).toMatch(/^STORE_(FULL|BUSY)$/);
      expect([(await real.listRuns({ limit: 10 })).runs, records]).toEqual([[], []]);
    }
  });

  it.each([false, true])(
    "applies or not when the outcome is unknown, and a resubmission cures it (remote: %s)",
    async (remote) => {
      const counts = new Set<number>();
      for (const seed of SEEDS) {
        let weather = always({ unknown: 1, delayMsMax: 50 });
        const { kernel, store, real } = await setup(seed, () => weather(), remote);
        const start = await aStart(real);
        expect(await outcomeOf(kernel, store.flush([start], 5))).toBe("STORE_OUTCOME_UNKNOWN");
        counts.add((await real.listRuns({ limit: 10 })).runs.length);
        weather = always({});
        expect(await outcomeOf(kernel, store.flush([start], 5))).toBe("answered");
        expect((await real.listRuns({ limit: 10 })).runs).toHaveLength(1);
      }
      expect(counts).toEqual(new Set([0, 1]));
    },
  );

  it("calls no failure definite until the outcome of an unknown one is settled", async () => {
    let weather = always({ unknown: 1 });
    const { kernel, store, real } = await setup("in doubt", () => weather());
    const start = await aStart(real);
    expect(await outcomeOf(kernel, store.flush([start], 5))).toBe("STORE_OUTCOME_UNKNOWN");
    weather = always({ failure: 1 });
    expect(await outcomeOf(kernel, store.flush([start], 5))).toBe("STORE_OUTCOME_UNKNOWN");
    weather = always({});
    expect(await outcomeOf(kernel, store.flush([start], 5))).toBe("answered");
    weather = always({ failure: 1 });
    expect(await outcomeOf(kernel, store.flush([start], 5))).toMatch(/^STORE_(FULL|BUSY)$/);
  });

  it("never answers a caller that has crashed; what it had sent to a server may still arrive", async () => {
    const arrived = new Set<number>();
    for (const seed of SEEDS) {
      const { kernel, store, real, caller } = await setup(seed, always({ delayMsMax: 50 }), true);
      const flushing = store.flush([await aStart(real)], 5);
      caller.crash();
      expect(await outcomeOf(kernel, flushing)).toBe("never");
      arrived.add((await real.listRuns({ limit: 10 })).runs.length);
    }
    expect(arrived).toEqual(new Set([0, 1]));
  });

  it("gives a claim whose answer was lost again with the next one, as long as it is held", async () => {
    for (const seed of SEEDS) {
      let weather = always({});
      const { kernel, store, real } = await setup(seed, () => weather());
      const start = await aStart(real);
      await real.flush([start], 5);
      const workerId = await real.registerWorker(
        { name: "w", host: "h", bootId: "b", pid: 1, pidNamespace: "n", pidStartedAt: "1" },
        { concurrency: 1, workflows: [], leaseMs: 10_000 },
        5,
      );
      const versionIds = (await real.listVersions()).map((version) => version.versionId);
      const claim = () => store.claimRuns({ workerId, suspects: false, versionIds, limit: 5, nowMs: 6 });
      weather = always({ unknown: 1 });
      expect(await outcomeOf(kernel, claim())).toBe("STORE_OUTCOME_UNKNOWN");
      weather = always({});
      const claims: unknown[] = [];
      void claim().then((given) => claims.push(...given));
      await kernel.run(() => false, 1_000_000);
      expect(claims).toHaveLength(1);
    }
  });
});
