/**
 * One of several processes on a file: a worker, a web process that only starts and asks,
 * a script that only reads, a stranger that locks. Does what its parent tells it, one
 * message a call; lives until it is killed.
 */
import { DatabaseSync } from "node:sqlite";
import { openEngine } from "../../src/engine/open.ts";
import type { Engine } from "../../src/engine/engine.ts";
import { openHost } from "../../src/engine/host.ts";
import { openSqliteStore } from "../../src/store/sqlite/sqlite.ts";
import { aRun, insertOf, WORKFLOW } from "../../src/testing/conformance/scene.ts";
import { GO, openWorkflows, type Work } from "./workflows.ts";

/** Who the child is. */
export type Role = { readonly name: string; readonly database: string };

/** A call and its answer. */
export type Call = { readonly number: number; readonly deed: string; readonly order: unknown };
export type Answer = { readonly number: number; readonly answer?: unknown; readonly error?: string };

/** Leases and polls are too long to explain anything that these tests see: who waits for one is out of time. */
const NEVER = { lease: "1h", poll: "1h" } as const;

type Deed = (role: Role, order: never) => Promise<unknown>;

const self: { engine: Engine | null; stopped: boolean; flushes: number } = { engine: null, stopped: false, flushes: 0 };

const DEEDS: Readonly<Record<string, Deed>> = {
  /** `slots` null: it does not work. */
  open: async (role, slots: number | null) => {
    const work = slots === null ? false : { concurrency: slots };
    const store = `sqlite:${role.database}`;
    self.engine = await openEngine({ store, workflows: openWorkflows(role.name), work, ...NEVER });
  },
  work: (_, slots: number) => self.engine!.work({ concurrency: slots }),
  start: async (_, order: { readonly ids: readonly string[]; readonly work: Work }) => {
    const waits = order.ids.map(async (id) => {
      const beganMs = performance.now();
      await self.engine!.start("file/chores", order.work, { id });
      return performance.now() - beganMs;
    });
    return Math.max(...(await Promise.all(waits)));
  },
  results: (_, ids: readonly string[]) =>
    Promise.all(ids.map(async (id) => (await self.engine!.get("file/chores", id)).result())),
  /** Start one and wait for it, again and again; the longest of all. */
  oneByOne: async (_, order: { readonly ids: readonly string[]; readonly work: Work }) => {
    const beganMs = performance.now();
    for (const id of order.ids) await self.engine!.run("file/chores", order.work, { id });
    return performance.now() - beganMs;
  },
  startHot: async (_, id: string) => void (await self.engine!.start("file/hot", null, { id })),
  signal: async (_, id: string) => {
    const beganMs = performance.now();
    await self.engine!.signal("file/hot", id, GO, "went");
    const value = await (await self.engine!.get("file/hot", id)).result();
    return { value, ms: performance.now() - beganMs };
  },
  cancel: async (_, id: string) => {
    const beganMs = performance.now();
    await self.engine!.cancel("file/hot", id);
    const outcome = await (await self.engine!.get("file/hot", id)).outcome();
    return { state: outcome.state, ms: performance.now() - beganMs };
  },
  startAsking: async (_, id: string) => void (await self.engine!.start("file/asks", null, { id })),
  asked: async () => (await self.engine!.approvals.list({ to: "team" })).approvals.length,
  /** What its sender is told; the code of what is thrown. */
  approve: async (_, order: { readonly id: string; readonly actor: string; readonly n: unknown }) => {
    const { id, actor, n } = order;
    const ref = { workflow: "file/asks", runId: id, name: "sign" };
    return self.engine!.approvals.approve(ref, { actor, form: { n }, wait: "50s" }).then(
      (receipt) => receipt,
      (error: { readonly code: string }) => error.code,
    );
  },
  askResult: async (_, id: string) => (await self.engine!.get("file/asks", id)).result(),
  state: async (_, id: string) => (await (await self.engine!.get("file/hot", id)).status()).state,
  /** How many steps of these runs are recorded. */
  recorded: async (_, ids: readonly string[]) => {
    let steps = 0;
    for (const id of ids) {
      const history = await (await self.engine!.get("file/chores", id)).history();
      steps += history.filter((event) => event.kind === "step").length;
    }
    return steps;
  },
  /** Lists and histories, until `stop`; how many, and the longest wait. */
  read: async () => {
    let [reads, worstMs] = [0, 0];
    while (!self.stopped) {
      const beganMs = performance.now();
      const [newest] = (await self.engine!.list({ limit: 50 })).runs;
      if (newest !== undefined) await (await self.engine!.get("file/chores", newest.id)).history();
      worstMs = Math.max(worstMs, performance.now() - beganMs);
      reads += 1;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    return { reads, worstMs };
  },
  stop: async () => void (self.stopped = true),
  /** Commit without a pause; the longest wait for one. */
  hammer: async (role, order: { readonly flushes: number; readonly rows: number }) => {
    const store = await openSqliteStore(role.database, { pace: openHost() });
    const { versionId } = await store.ensureVersion(WORKFLOW);
    const scene = { store, versionId, workerId: 0 };
    let worstMs = 0;
    for (; self.flushes < order.flushes; self.flushes += 1) {
      const writes = Array.from({ length: order.rows }, (_, row) =>
        insertOf(aRun(scene, { id: `${role.name}-${self.flushes}-${row}` })),
      );
      const beganMs = performance.now();
      await store.flush(writes, 1);
      worstMs = Math.max(worstMs, performance.now() - beganMs);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await store.close();
    return worstMs;
  },
  flushes: async () => self.flushes,
  /** As a foreign script would: one long transaction. */
  lock: async (role, ms: number) => {
    const db = new DatabaseSync(role.database, { timeout: 5_000 });
    db.exec("BEGIN IMMEDIATE");
    setTimeout(() => {
      db.exec("COMMIT");
      db.close();
    }, ms);
  },
  /** Leave in an orderly way. */
  close: async () => self.engine?.close(),
};

if (import.meta.main) listen(JSON.parse(process.argv[2]!) as Role);

function listen(role: Role): void {
  process.on("message", ({ number, deed, order }: Call) => {
    DEEDS[deed]!(role, order as never).then(
      (answer) => process.send!({ number, answer } satisfies Answer),
      (error: Error & { readonly code?: string }) =>
        process.send!({ number, error: `${error.code ?? ""} ${error.message}` } satisfies Answer),
    );
  });
  process.on("disconnect", () => process.exit(0));
}
