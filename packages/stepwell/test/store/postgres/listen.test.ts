/** Hearing of what others have committed, and telling them (S8). */
import type pg from "pg";
import { describe, expect, it, onTestFinished } from "vitest";
import { useFreshDatabase } from "../../../../../scripts/postgres/for-tests.ts";
import { openHost } from "../../../src/engine/host.ts";
import type { Pace } from "../../../src/store/pace.ts";
import { type Listening, openListening, tell } from "../../../src/store/postgres/listen.ts";
import { openPostgresStore } from "../../../src/store/postgres/postgres.ts";
import type { Session } from "../../../src/store/postgres/session.ts";
import type { Change, Store } from "../../../src/store/store.ts";
import { sql } from "./server.ts";

const NOTHING: Change = { due: false, inbox: false, ended: false, workers: false };
const EVERYTHING: Change = { due: true, inbox: true, ended: true, workers: true };

/** A watcher, once messages come through. */
async function hearing(store: Store): Promise<Change[]> {
  const heard: Change[] = [];
  store.watch((change) => heard.push(change));
  await expect.poll(() => heard).toEqual([EVERYTHING]);
  heard.length = 0;
  return heard;
}

describe("a store that listens", () => {
  const url = useFreshDatabase();

  async function open(query = ""): Promise<Store> {
    const store = await openPostgresStore(`${url()}${query}`, { pace: openHost() });
    onTestFinished(() => store.close());
    return store;
  }

  const listeners = "FROM pg_stat_activity WHERE application_name = 'stepwell listen' AND datname = current_database()";
  const channel = "stepwell:stepwell";

  it("hears what others say, by its letters, and nothing that is for another schema", async () => {
    const store = await open();
    const heard = await hearing(store);
    await sql(
      url(),
      `SELECT pg_notify('${channel}', 'other de')`,
      "SELECT pg_notify('stepwell:other', 'other w')",
      `SELECT pg_notify('${channel}', 'other ?')`,
      `SELECT pg_notify('${channel}', 'other i')`,
    );
    await expect.poll(() => heard.length).toBe(2);
    expect(heard).toEqual([
      { ...NOTHING, due: true, ended: true },
      { ...NOTHING, inbox: true },
    ]);
  });

  it("looks seldom while messages come through, and more often where they do not", async () => {
    const store = await open();
    expect(store.pollMs()).toBe(2_000);
    await hearing(store);
    expect(store.pollMs()).toBe(10_000);
    const deaf = await open("?listen=false");
    deaf.watch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(deaf.pollMs()).toBe(2_000);
  });

  it("asks nothing while nobody watches", async () => {
    const store = await open();
    expect(await sql(url(), `SELECT count(*)::int ${listeners}`)).toEqual([[0]]);
    await hearing(store);
    expect(await sql(url(), `SELECT count(*)::int ${listeners}`)).toEqual([[1]]);
    await store.close();
    await expect.poll(() => sql(url(), `SELECT count(*)::int ${listeners}`)).toEqual([[0]]);
  });

  it("N4: connects again, and says then that everything may have changed", async () => {
    const store = await open();
    const heard = await hearing(store);
    await sql(url(), `SELECT pg_terminate_backend(pid) ${listeners}`);
    await expect.poll(() => heard).toEqual([EVERYTHING]);
    await sql(url(), `SELECT pg_notify('${channel}', 'other w')`);
    await expect.poll(() => heard.at(-1)).toEqual({ ...NOTHING, workers: true });
  });

  it("tells others of a new version, and does not hear itself", async () => {
    const [store, other] = [await open(), await open()];
    const [own, theirs] = [await hearing(store), await hearing(other)];
    const identity = { namespace: "t", name: "w", version: "1.0.0" };
    const { versionId } = await store.ensureVersion(identity);
    const run = { id: "r", versionId, input: "1", inputHash: null, actor: "x", seed: 1, parent: null, timeoutMs: null };
    await store.flush([{ kind: "insert_run", run, claimFor: null, owner: null }], null);
    await expect.poll(() => theirs).toContainEqual({ ...NOTHING, due: true });
    expect(own).toEqual([]);
  });

  it("that listens to nobody tells all the same", async () => {
    const [store, other] = [await open("?listen=false"), await open()];
    const theirs = await hearing(other);
    const { versionId } = await store.ensureVersion({ namespace: "t", name: "w", version: "1.0.0" });
    const run = { id: "q", versionId, input: "1", inputHash: null, actor: "x", seed: 1, parent: null, timeoutMs: null };
    await store.flush([{ kind: "insert_run", run, claimFor: null, owner: null }], null);
    await store.close();
    await expect.poll(() => theirs).toContainEqual({ ...NOTHING, due: true });
  });
});

/** A connection in a test's hands, timers that fire when told, and what was said on the claim lane. */
function openScene(options: { readonly connects?: boolean } = {}) {
  const timers = new Set<{ readonly ms: number; readonly task: () => void }>();
  const said: string[] = [];
  let nowMs = 0;
  const pace: Pace = {
    timer: (ms, task) => {
      const timer = { ms, task };
      timers.add(timer);
      return () => void timers.delete(timer);
    },
    random: () => 1,
    monotonicMs: () => nowMs,
  };
  const handlers = new Map<string, (event: never) => void>();
  const client = {
    on: (event: string, handler: (event: never) => void) => void handlers.set(event, handler),
    query: async (_: string, [, message]: readonly string[]) => void said.push(message!),
    end: async () => {},
  } as unknown as pg.Client;
  let connections = 0;
  const connect = async (): Promise<pg.Client> => {
    connections += 1;
    if (options.connects === false) throw new Error("no server");
    return client;
  };
  const lane = {
    connect: async () => ({
      query: async ({ values }: { readonly values: readonly string[] }) => {
        said.push(values[1]!);
        return { rows: [] };
      },
      release: () => {},
    }),
  };
  const session = {
    place: "there",
    lanes: { claim: lane },
    naming: (statement: unknown) => statement,
    reading: new Set(),
    prepared: true,
    closed: false,
    tell: () => {},
  } as unknown as Session;
  const listening: Listening = openListening(session, { pace, connect, channel: "c", token: "me" });
  return {
    session,
    listening,
    said,
    connections: () => connections,
    waits: () => [...timers].map(({ ms }) => ms),
    hear: (payload: string) => handlers.get("notification")!({ payload } as never),
    lose: () => handlers.get("end")!(undefined as never),
    settle: () => new Promise<void>((resolve) => void setImmediate(resolve)),
    fire: async (ms: number) => {
      nowMs += ms;
      for (const timer of timers) {
        if (timer.ms !== ms || !timers.delete(timer)) continue;
        timer.task();
      }
      await new Promise<void>((resolve) => void setImmediate(resolve));
    },
  };
}

describe("listening", () => {
  it("N1: collects what has changed, and tells it at most every 5 ms, or 20 ms when runs have only ended", async () => {
    const { session, said, waits, settle, fire } = openScene();
    tell(session, { ...NOTHING, ended: true });
    await settle();
    expect(said).toEqual(["me e"]);
    tell(session, { ...NOTHING, ended: true });
    tell(session, { ...NOTHING, ended: true });
    expect(waits()).toEqual([20]);
    tell(session, { ...NOTHING, due: true });
    tell(session, { ...NOTHING, workers: true });
    expect(waits()).toEqual([5]);
    await fire(5);
    expect(said).toEqual(["me e", "me dew"]);
    expect(waits()).toEqual([]);
  });

  it("tells before it ends what has not been told yet", async () => {
    const { session, listening, said, settle } = openScene();
    tell(session, { ...NOTHING, due: true });
    await settle();
    tell(session, { ...NOTHING, inbox: true });
    await listening.stop();
    expect(said).toEqual(["me d", "me i"]);
    tell(session, { ...NOTHING, due: true });
    await settle();
    expect(said.length).toBe(2);
  });

  it("N3: takes a connection on which nothing comes for deaf, and tries another after a pause that grows", async () => {
    const { listening, said, connections, waits, settle, fire } = openScene();
    listening.watch(() => {});
    await settle();
    expect([said, waits(), listening.pollMs()]).toEqual([["me ?"], [3_000], 2_000]);
    await fire(3_000);
    expect(waits()).toEqual([100]);
    await fire(100);
    await fire(3_000);
    expect([connections(), waits()]).toEqual([2, [200]]);
  });

  it("N3: goes on trying while messages come through", async () => {
    const { listening, hear, said, waits, settle, fire } = openScene();
    const heard: Change[] = [];
    listening.watch((change) => heard.push(change));
    await settle();
    hear("me ?");
    expect([heard, waits(), listening.pollMs()]).toEqual([[EVERYTHING], [30_000], 10_000]);
    await fire(30_000);
    expect([said, waits()]).toEqual([["me ?", "me ?"], [3_000]]);
    hear("me ?");
    expect([heard.length, waits()]).toEqual([1, [30_000]]);
    await fire(30_000);
    await fire(3_000);
    expect([waits(), listening.pollMs()]).toEqual([[100], 2_000]);
  });

  it("waits ever longer for a server that is not there, up to half a minute", async () => {
    const { listening, connections, waits, settle, fire } = openScene({ connects: false });
    listening.watch(() => {});
    await settle();
    const pauses: number[] = [];
    for (let round = 0; round < 10; round += 1) {
      const [ms] = waits();
      pauses.push(ms!);
      await fire(ms!);
    }
    expect(pauses).toEqual([100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000]);
    expect(connections()).toBe(11);
  });

  it("N5: keeps the connection for ten seconds after the last has gone, in case somebody comes", async () => {
    const { listening, hear, connections, waits, settle, fire } = openScene();
    const leave = listening.watch(() => {});
    await settle();
    hear("me ?");
    leave();
    expect(waits()).toEqual([30_000, 10_000]);
    const heard: Change[] = [];
    const leaveAgain = listening.watch((change) => heard.push(change));
    expect(waits()).toEqual([30_000]);
    hear("other d");
    expect([heard, connections()]).toEqual([[{ ...NOTHING, due: true }], 1]);
    leaveAgain();
    leaveAgain();
    await fire(10_000);
    expect([waits(), listening.pollMs()]).toEqual([[], 2_000]);
    listening.watch(() => {});
    await settle();
    expect(connections()).toBe(2);
  });

  it("does not come back for nobody", async () => {
    const { listening, hear, lose, connections, waits, settle } = openScene();
    const leave = listening.watch(() => {});
    await settle();
    hear("me ?");
    leave();
    lose();
    await settle();
    expect([connections(), waits()]).toEqual([1, [10_000]]);
  });
});
