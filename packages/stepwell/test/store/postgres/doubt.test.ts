/** P1: a flush of which nobody knows whether it was stored is unknown until a later one succeeds, and is stored once. */
import { describe, expect, it, onTestFinished } from "vitest";
import { useFreshDatabase } from "../../../../../scripts/postgres/for-tests.ts";
import { flush } from "../../../src/store/postgres/flush.ts";
import { openPostgresStore } from "../../../src/store/postgres/postgres.ts";
import type { Session } from "../../../src/store/postgres/session.ts";
import { aRun, checkpointOf, insertOf, WORKFLOW } from "../../../src/testing/conformance/scene.ts";
import { openProxy, refusalOf } from "./proxy.ts";
import { failureOf } from "./server.ts";

describe("a flush", () => {
  const url = useFreshDatabase();

  it("P1: whose answer was lost stays unknown while others fail for certain, and is found to be there", async () => {
    let losing = false;
    let refusing = false;
    const proxy = await openProxy(url(), {
      cutsBefore: (data) => losing && data.includes("now_ms"),
      onGreeting: () => (refusing ? refusalOf("53300", "sorry, too many clients already") : null),
    });
    onTestFinished(proxy.close);
    const store = await openPostgresStore(proxy.url);
    onTestFinished(() => store.close());
    const { versionId } = await store.ensureVersion(WORKFLOW);
    const first = insertOf(aRun({ store, versionId, workerId: 0 }, { id: "first" }));
    losing = true;
    expect((await failureOf(store.flush([first], null))).code).toBe("STORE_OUTCOME_UNKNOWN");
    [losing, refusing] = [false, true];
    expect((await failureOf(store.flush([first], null))).code).toBe("STORE_OUTCOME_UNKNOWN");
    refusing = false;
    expect(await store.flush([first], null)).toMatchObject([
      { kind: "exists", run: { id: "first", state: "pending" } },
    ]);
    refusing = true;
    proxy.cut();
    // Until the store has noticed: what is sent on a connection that has ended is unknown again.
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect((await failureOf(store.flush([first], null))).code).toBe("STORE_BUSY");
  });
});

describe("a flush that was stored", () => {
  it("P1: is never said not to be, when what became of it cannot be looked up", async () => {
    const answers: (() => readonly unknown[])[] = [
      () => [{ now_ms: 1, alive: [1], plain: 0 }],
      () => {
        throw Object.assign(new Error("out of memory"), { code: "53200" });
      },
    ];
    const query = async (text: unknown) => ({ rows: text === "SELECT 1" ? [] : answers.shift()!() });
    const session = {
      place: "there",
      lanes: { flush: { connect: async () => ({ query, release: () => {} }) } },
      naming: (statement: unknown) => statement,
      versions: new Map(),
      reading: new Set(),
      tell: () => {},
      inDoubt: false,
    } as unknown as Session;
    const stale = checkpointOf({ rowId: 1, workerId: 1, fence: 1 });
    const failure = await failureOf(flush(session, [stale], null));
    expect([failure.code, answers.length]).toEqual(["STORE_OUTCOME_UNKNOWN", 0]);
    expect(failure.message).toContain("out of memory");
  });
});
