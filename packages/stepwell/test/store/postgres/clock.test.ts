/** Time is the server's (S3), whatever the clock of this machine says. */
import { expect, it, onTestFinished, vi } from "vitest";
import { useFreshDatabase } from "../../../../../scripts/postgres/for-tests.ts";
import { openPostgresStore } from "../../../src/store/postgres/postgres.ts";
import { aRun, insertOf, OFFER, parkOf, WORKFLOW } from "../../../src/testing/conformance/scene.ts";
import { sql } from "./server.ts";

const url = useFreshDatabase();

const DAY_MS = 86_400_000;
const PROCESS = { name: "w", host: "h", bootId: "b", pid: 1, pidNamespace: "n", pidStartedAt: "0" };

async function serverMs(): Promise<number> {
  return Number((await sql(url(), "SELECT extract(epoch FROM clock_timestamp()) * 1000"))[0]![0]);
}

it("F13: every moment is the server's, also where this machine is a day ahead", async () => {
  const fromMs = Math.floor(await serverMs());
  vi.useFakeTimers({ toFake: ["Date"], now: fromMs + DAY_MS });
  onTestFinished(() => void vi.useRealTimers());
  const store = await openPostgresStore(url());
  onTestFinished(() => store.close());
  const { versionId } = await store.ensureVersion(WORKFLOW);
  const workerId = await store.registerWorker(PROCESS, { ...OFFER, leaseMs: DAY_MS / 2 }, null);
  const scene = { store, versionId, workerId };
  const start = { ...insertOf(aRun(scene)), claimFor: workerId };
  const [inserted] = await store.flush([start], null);
  expect(inserted).toMatchObject({ kind: "inserted", claimed: true });
  const { rowId, atMs } = inserted as { readonly rowId: number; readonly atMs: number };
  await store.flush([parkOf({ rowId, workerId, fence: 1 }, { dueAtMs: fromMs })], null);
  const next = await store.nextDue([versionId], null);
  const [claim] = await store.claimRuns({ workerId, suspects: false, versionIds: [versionId], limit: 1, nowMs: null });
  const [worker] = await store.listWorkers(null);
  const lapsed = await store.buryWorker(workerId, false, null);
  const toMs = await serverMs();
  for (const ms of [atMs, claim!.nowMs, claim!.run.createdAtMs, worker!.startedAtMs]) {
    expect(ms).toBeGreaterThanOrEqual(fromMs);
    expect(ms).toBeLessThanOrEqual(toMs);
  }
  expect(next.runInMs).toBe(0);
  expect(worker!.leaseLeftMs).toBeGreaterThan(0);
  expect(lapsed).toBe(false);
});
