/** PostgreSQL for the harness: a database of the test's own, whose time is the test's. */
import { inject, onTestFinished } from "vitest";
import { freshDatabase } from "../../../../scripts/postgres/database.ts";
import { openPostgresStore } from "../../src/store/postgres/postgres.ts";
import type { NowMs, Store } from "../../src/store/store.ts";

/** An empty store; it and its database are gone when the test is over. */
export async function openPostgres(nowMs: () => number): Promise<Store> {
  const server = inject("postgres");
  if (!("url" in server)) throw new Error(`there is no PostgreSQL to test on: ${server.missing}`);
  const database = await freshDatabase(server.url);
  const store = await openPostgresStore(database.url);
  onTestFinished(async () => {
    await store.close();
    await database.drop();
  });
  return onClock(store, nowMs);
}

/** The store as if the server's clock were the test's. */
function onClock(store: Store, testMs: () => number): Store {
  const at = (nowMs: NowMs): number => nowMs ?? testMs();
  return {
    ...store,
    // Of the test's server, which need not be durable.
    warnings: [],
    flush: (writes, nowMs) => store.flush(writes, at(nowMs)),
    transact: (terms, work) => store.transact({ ...terms, nowMs: at(terms.nowMs) }, work),
    claimRuns: (by) => store.claimRuns({ ...by, nowMs: at(by.nowMs) }),
    resumePaused: (versionIds, nowMs) => store.resumePaused(versionIds, at(nowMs)),
    nextDue: (versionIds, nowMs) => store.nextDue(versionIds, at(nowMs)),
    listOldestDue: (nowMs) => store.listOldestDue(at(nowMs)),
    reopenRuns: (runs, nowMs) => store.reopenRuns(runs, at(nowMs)),
    insertForked: (run, past, nowMs) => store.insertForked(run, past, at(nowMs)),
    addRemark: (rowId, remark, nowMs) => store.addRemark(rowId, remark, at(nowMs)),
    registerWorker: (process, offer, nowMs) => store.registerWorker(process, offer, at(nowMs)),
    renewWorker: (workerId, standing, nowMs) => store.renewWorker(workerId, standing, at(nowMs)),
    listWorkers: (nowMs) => store.listWorkers(at(nowMs)),
    buryWorker: (workerId, gone, nowMs) => store.buryWorker(workerId, gone, at(nowMs)),
    findBreaker: (name, owner, nowMs) => store.findBreaker(name, owner, at(nowMs)),
    listBreakers: (page, nowMs) => store.listBreakers(page, at(nowMs)),
    releaseRuns: (workerId, how, nowMs) => store.releaseRuns(workerId, how, at(nowMs)),
  };
}
