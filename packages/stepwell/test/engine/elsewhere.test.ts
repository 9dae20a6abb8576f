/** Waiting for runs that other processes execute: how often the store is asked, and what is told. */
import { describe, expect, it } from "vitest";
import { openElsewhere } from "../../src/engine/elsewhere.ts";
import { openHost } from "../../src/engine/host.ts";
import { toSettings } from "../../src/engine/settings.ts";
import { openWatchers } from "../../src/engine/watch.ts";
import { StepwellError } from "../../src/model/errors.ts";
import type { Change, Store } from "../../src/store/store.ts";

type Timer = { readonly atMs: number; readonly task: () => void };

function openScene(works = false) {
  const scene = {
    nowMs: 0,
    timers: new Set<Timer>(),
    /** What was asked for, look by look. */
    looks: [] as (readonly number[])[],
    ended: new Set<number>(),
    failure: null as unknown,
    /** How long the store takes. */
    asking: () => Promise.resolve(),
    listeners: new Set<() => void>(),
  };
  const host = {
    ...openHost(),
    monotonicMs: () => scene.nowMs,
    timer: (ms: number, task: () => void) => {
      const timer = { atMs: scene.nowMs + ms, task };
      scene.timers.add(timer);
      return () => void scene.timers.delete(timer);
    },
  };
  const store = {
    pollMs: () => 1_000,
    listEnded: async (rowIds: readonly number[]) => {
      scene.looks.push(rowIds);
      await scene.asking();
      if (scene.failure !== null) throw scene.failure as Error;
      const found = rowIds.filter((rowId) => scene.ended.has(rowId));
      return found.map((rowId) => ({ rowId, ending: { state: "completed", value: `${rowId}` } as const }));
    },
    watch: (onChange: (change: Partial<Change>) => void) => {
      const listener = (): void => onChange({ ended: true });
      scene.listeners.add(listener);
      return () => void scene.listeners.delete(listener);
    },
  } as unknown as Store;
  const watchers = openWatchers();
  const elsewhere = openElsewhere({ host, store, watchers, settings: toSettings(host, {}) }, () => works);
  const wait = (rowId: number): Promise<string> =>
    new Promise((resolve, reject) => {
      watchers.watch(rowId, { ended: ({ value }) => resolve(value), failed: reject, left: () => {} });
      elsewhere.ask(rowId);
    });
  return { scene, watchers, elsewhere, wait };
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

type Scene = ReturnType<typeof openScene>["scene"];

async function change(scene: Scene): Promise<void> {
  for (const listener of scene.listeners) listener();
  await settle();
}

/** Timers go off in order. */
async function advance(scene: Scene, ms: number): Promise<void> {
  const untilMs = scene.nowMs + ms;
  for (;;) {
    const [next] = [...scene.timers].filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs);
    if (next === undefined) break;
    scene.timers.delete(next);
    scene.nowMs = Math.max(scene.nowMs, next.atMs);
    next.task();
    await settle();
  }
  scene.nowMs = untilMs;
}

const codeOf = (error: { readonly code?: unknown }) => error.code;

describe("runs that end elsewhere", () => {
  it("a close tells who waits at once, whether the look is planned or under way", async () => {
    for (const turns of [0, 5]) {
      const { scene, elsewhere, wait } = openScene();
      let answer = (): void => {};
      scene.asking = () => new Promise((resolve) => (answer = resolve));
      const code = wait(1).catch(codeOf);
      for (let turn = 0; turn < turns; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      elsewhere.close();
      expect(await code).toBe("ENGINE_CLOSED");
      answer();
      await settle();
      await advance(scene, 60_000);
      expect(scene.looks.length).toBe(turns === 0 ? 0 : 1);
      expect([scene.timers.size, scene.listeners.size]).toEqual([0, 0]);
    }
  });

  it("however many are awaited, one query asks for all of them", async () => {
    const { scene, wait } = openScene();
    const waiting = Array.from({ length: 500 }, (_, rowId) => wait(rowId));
    await settle();
    expect(scene.looks.map((look) => look.length)).toEqual([500]);
    for (let rowId = 0; rowId < 500; rowId += 1) scene.ended.add(rowId);
    await advance(scene, 20);
    expect(await Promise.all(waiting)).toEqual(Array.from({ length: 500 }, (_, rowId) => `${rowId}`));
    expect(scene.looks.length).toBe(2);
  });

  it("S8: are found when the store says that others have committed, before any time has passed", async () => {
    const { scene, wait } = openScene(true);
    const waiting = wait(7);
    await settle();
    scene.ended.add(7);
    scene.nowMs += 1;
    await change(scene);
    expect(await waiting).toBe("7");
  });

  it("are looked for ever less often when nothing is told, at once when it is, and never when nobody waits", async () => {
    const { scene, wait } = openScene();
    void wait(1);
    await settle();
    await advance(scene, 10_000);
    expect(scene.looks.length).toBeGreaterThan(10);
    expect(scene.looks.length).toBeLessThan(20);
    scene.ended.add(1);
    await change(scene);
    expect([scene.timers.size, scene.listeners.size]).toEqual([0, 0]);
    const before = scene.looks.length;
    await advance(scene, 10_000);
    expect(scene.looks.length).toBe(before);
  });

  it("cost a bounded share of the time, however often others commit", async () => {
    const { scene, wait } = openScene();
    for (let rowId = 0; rowId < 5_000; rowId += 1) void wait(rowId);
    await settle();
    for (let index = 0; index < 50; index += 1) {
      await change(scene);
      await advance(scene, 20);
    }
    // 5,000 runs make a pause of 100 ms.
    expect(scene.looks.length).toBeGreaterThanOrEqual(9);
    expect(scene.looks.length).toBeLessThanOrEqual(12);
  });

  it("a change during a look causes another", async () => {
    const { scene, wait } = openScene(true);
    void wait(1);
    await settle();
    scene.nowMs += 1;
    for (const listener of scene.listeners) listener();
    await new Promise((resolve) => setImmediate(resolve));
    await change(scene);
    scene.nowMs += 1;
    await advance(scene, 1);
    expect(scene.looks.length).toBeGreaterThanOrEqual(3);
  });

  it("a store in passing trouble is asked again; one in lasting trouble is told to those who wait", async () => {
    const { scene, wait } = openScene();
    const waiting = wait(1);
    scene.failure = new StepwellError("STORE_BUSY", "busy");
    await settle();
    scene.failure = null;
    scene.ended.add(1);
    await advance(scene, 20);
    expect(await waiting).toBe("1");
    const others = [wait(2), wait(3)].map((one) => one.catch(codeOf));
    scene.failure = new StepwellError("STORE_CORRUPT", "damaged");
    await advance(scene, 20);
    expect(await Promise.all(others)).toEqual(["STORE_CORRUPT", "STORE_CORRUPT"]);
    expect([scene.timers.size, scene.listeners.size]).toEqual([0, 0]);
  });

  it("one that ended here meanwhile is not asked for any more", async () => {
    const { scene, wait, watchers } = openScene();
    const [first, second] = [wait(1), wait(2)];
    await settle();
    watchers.tellEnded(1, { state: "completed", value: "here" });
    expect(await first).toBe("here");
    await advance(scene, 20);
    expect(scene.looks.at(-1)).toEqual([2]);
    void second;
  });

  it("closing tells those who still wait, and those who come later", async () => {
    const { scene, wait, elsewhere } = openScene();
    const waiting = wait(1).catch(codeOf);
    await settle();
    elsewhere.close();
    expect(await waiting).toBe("ENGINE_CLOSED");
    expect(await wait(2).catch(codeOf)).toBe("ENGINE_CLOSED");
    expect([scene.timers.size, scene.listeners.size]).toEqual([0, 0]);
  });
});
