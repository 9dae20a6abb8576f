/** What other processes commit reaches a worker at once, and so does their death. */
import { describe, expect, it } from "vitest";
import { signal } from "../../src/engine/signal.ts";
import { workflow } from "../../src/engine/workflow.ts";
import type { Change, Store } from "../../src/store/store.ts";
import { openWorld } from "./harness.ts";

const quick = workflow("t/quick", { version: "1.0.0" }, async (ctx) => ctx.step("one", () => 1));

/** Sleeps, and tells when it woke up. */
const nap = (nowMs: () => number) =>
  workflow("t/nap", { version: "1.0.0" }, async (ctx) => {
    await ctx.sleep("nap", "10s");
    return nowMs();
  });

const GO = signal<string>("go");

/** Held claimed by a running step until its signal has come. */
const hot = workflow("t/hot", { version: "1.0.0" }, async (ctx) => {
  let release = (): void => {};
  const busy = ctx.step("busy", () => new Promise<void>((resolve) => (release = resolve)));
  const answer = await ctx.waitFor(GO);
  release();
  await busy;
  return answer.value;
});

const NOTHING: Change = { due: false, inbox: false, ended: false, workers: false };

/** A store whose watchers are told by the test, and which counts the reading of the registry. */
function openWatched() {
  const listeners = new Set<(change: Change) => void>();
  const counted = { listWorkers: 0, claims: 0, heldRuns: 0 };
  let held: Promise<void> | null = null;
  const wrap = (store: Store): Store => ({
    ...store,
    nextDue: async (...args) => {
      const answer = await store.nextDue(...args);
      await held;
      return answer;
    },
    watch: (onChange) => {
      listeners.add(onChange);
      return () => void listeners.delete(onChange);
    },
    listWorkers: (nowMs) => {
      counted.listWorkers += 1;
      return store.listWorkers(nowMs);
    },
    claimRuns: (by) => {
      counted.claims += 1;
      return store.claimRuns(by);
    },
    listHeldRuns: (workerId) => {
      counted.heldRuns += 1;
      return store.listHeldRuns(workerId);
    },
  });
  const change = (kinds: Partial<Change> = { due: true, inbox: true, ended: true, workers: true }): void => {
    for (const listener of listeners) listener({ ...NOTHING, ...kinds });
  };
  /** Keeps the answers to looks that begin before `others` is called, until `release` is. */
  const holdLooks = () => {
    let release = (): void => {};
    held = new Promise((resolve) => (release = resolve));
    return { release, others: () => void (held = null) };
  };
  return { wrap, change, listeners, counted, holdLooks };
}

describe("a change that others made", () => {
  it("S8: has a worker claim what is due, without waiting for its poll", async () => {
    const world = await openWorld();
    const { wrap, change } = openWatched();
    const worker = await world.open({ workflows: [quick] }, wrap);
    const web = await world.open({ workflows: [quick], work: false });
    await world.settle();
    const run = await web.engine.start(quick, undefined, { id: "r" });
    await world.settle();
    expect((await run.status()).state).toBe("pending");
    change();
    await world.until(async () => (await run.status()).state === "completed", "the claim");
    await worker.engine.close();
  });

  it("S8: is noticed also after one that was none of the worker's business", async () => {
    const world = await openWorld();
    const { wrap, change } = openWatched();
    const worker = await world.open({ workflows: [quick] }, wrap);
    const web = await world.open({ workflows: [quick], work: false });
    await world.settle();
    const run = await web.engine.start(quick, undefined, { id: "r" });
    change({ ended: true });
    change({ due: true });
    await world.until(async () => (await run.status()).state === "completed", "the claim");
    await worker.engine.close();
  });

  it("P6: has a worker read the inboxes of the runs that it executes", async () => {
    const world = await openWorld();
    const { wrap, change } = openWatched();
    const worker = await world.open({ workflows: [hot] }, wrap);
    const run = await worker.engine.start(hot, undefined, { id: "r" });
    const web = await world.open({ workflows: [hot], work: false });
    await world.settle();
    await web.engine.signal(hot, "r", GO, "went");
    await world.settle();
    expect((await run.status()).state).toBe("running");
    change();
    await world.until(async () => (await run.status()).state === "completed", "the signal");
    expect((await run.status()).output).toBe("went");
    await worker.engine.close();
  });

  it("claims nothing and reads no inbox when there is nothing due and nothing executed", async () => {
    const world = await openWorld();
    const { wrap, change, counted } = openWatched();
    const worker = await world.open({ workflows: [quick] }, wrap);
    await world.settle();
    const before = { ...counted };
    for (let index = 0; index < 10; index += 1) {
      change();
      await world.settle();
    }
    expect(counted).toEqual(before);
    await worker.engine.close();
  });

  it("many changes during one look cause one more", async () => {
    const world = await openWorld();
    const { wrap, change, counted } = openWatched();
    const worker = await world.open({ workflows: [hot] }, wrap);
    await worker.engine.start(hot, undefined, { id: "r" });
    await world.settle();
    const before = counted.heldRuns;
    for (let index = 0; index < 100; index += 1) change();
    await world.settle();
    expect(counted.heldRuns - before).toBe(2);
    await worker.engine.signal(hot, "r", GO, "go");
    await worker.engine.close();
  });

  it("a worker with no free slot claims when one becomes free", async () => {
    const world = await openWorld();
    const { wrap, change } = openWatched();
    const worker = await world.open({ workflows: [hot, quick], work: { concurrency: 1 } }, wrap);
    await worker.engine.start(hot, undefined, { id: "r" });
    await world.settle();
    const web = await world.open({ workflows: [quick], work: false });
    await world.settle();
    const run = await web.engine.start(quick, undefined, { id: "q" });
    change();
    await world.settle();
    expect((await run.status()).state).toBe("pending");
    await worker.engine.signal(hot, "r", GO, "go");
    await world.until(async () => (await run.status()).state === "completed", "the claim");
    await worker.engine.close();
  });

  it("has a worker look when what others have parked is due, and not only at its poll", async () => {
    const world = await openWorld();
    const { wrap, change } = openWatched();
    const options = { workflows: [nap(world.nowMs)], poll: "1h", lease: "1h" } as const;
    const worker = await world.open(options, wrap);
    const leaving = await world.open(options);
    const startedMs = world.nowMs();
    await leaving.engine.start(nap(world.nowMs), undefined, { id: "r" });
    await world.settle();
    await leaving.engine.close();
    change({ due: true });
    await world.advance(10_000);
    expect((await (await worker.engine.get("t/nap", "r")).status()).output).toBe(startedMs + 10_000);
    await worker.engine.close();
  });

  it("is not forgotten when a look that began before it ends after it", async () => {
    const world = await openWorld();
    const { wrap, change, holdLooks } = openWatched();
    const options = { workflows: [nap(world.nowMs), quick], poll: "30s", lease: "1h" } as const;
    const worker = await world.open(options, wrap);
    await world.settle();
    const { release, others } = holdLooks();
    await world.advance(30_000);
    others();
    const leaving = await world.open(options);
    const startedMs = world.nowMs();
    await leaving.engine.start(nap(world.nowMs), undefined, { id: "r" });
    await world.settle();
    await leaving.engine.close();
    const web = await world.open({ workflows: [quick], work: false });
    const claimed = await web.engine.start(quick);
    change({ due: true });
    await world.until(async () => (await claimed.status()).state === "completed", "the claim");
    release();
    await world.advance(10_000);
    expect((await (await worker.engine.get("t/nap", "r")).status()).output).toBe(startedMs + 10_000);
    await worker.engine.close();
  });

  it("is not listened to any more by an engine that has been closed", async () => {
    const world = await openWorld();
    const { wrap, listeners } = openWatched();
    const worker = await world.open({ workflows: [quick] }, wrap);
    expect(listeners.size).toBeGreaterThan(0);
    await worker.engine.close();
    expect(listeners.size).toBe(0);
  });
});

describe("a neighbour that has died", () => {
  it("P9: is noticed within a quarter of a second, by asking the operating system and not the store", async () => {
    const world = await openWorld();
    const { wrap, change, counted } = openWatched();
    const heir = await world.open({ workflows: [quick], lease: "60s" }, wrap);
    const victim = await world.open({ workflows: [hot], lease: "60s" });
    await world.settle();
    await victim.engine.start(hot, undefined, { id: "r" });
    const run = await heir.engine.get(hot, "r");
    change();
    await world.advance(300);
    const before = counted.listWorkers;
    await world.advance(5_000);
    expect(counted.listWorkers).toBe(before);
    expect((await run.status()).state).toBe("running");
    victim.crash();
    await world.advance(260);
    expect(await run.status()).toMatchObject({ state: "pending", crashes: 1 });
    await heir.engine.close();
  });

  it("P9: is noticed although it came after the heir had last read the registry, if the store tells of no change", async () => {
    const world = await openWorld();
    const heir = await world.open({ workflows: [quick], lease: "60s" });
    await world.advance(300);
    const victim = await world.open({ workflows: [hot], lease: "60s" });
    await world.settle();
    await victim.engine.start(hot, undefined, { id: "r" });
    const run = await heir.engine.get(hot, "r");
    victim.crash();
    await world.advance(21_000);
    expect(await run.status()).toMatchObject({ state: "pending", crashes: 1 });
    await heir.engine.close();
  });

  it("nobody looks while there is no neighbour", async () => {
    const world = await openWorld();
    const { wrap, counted } = openWatched();
    const worker = await world.open({ workflows: [quick], lease: "60s" }, wrap);
    await world.advance(300);
    const before = counted.listWorkers;
    await world.advance(10_000);
    expect(counted.listWorkers).toBe(before);
    await worker.engine.close();
  });
});
