/** Approvals: opened with a wait, closed with its outcome, and found by whom they are for. */
import type { NewApproval } from "../../model/approval.ts";
import type { Owner } from "../../model/run.ts";
import type { Write } from "../../store/write.ts";
import {
  aRun,
  attemptOf,
  type Chapter,
  checkpointOf,
  claimOne,
  crash,
  flushOne,
  insertHeld,
  insertOf,
  NOW,
  parkOf,
  postOf,
  refOf,
  type Scene,
} from "./scene.ts";

const ASKED: NewApproval = { key: "sign", title: "Refund?", to: ["kim", "heads"], request: '{"quorum":1}' };

/** A wait that begins and asks people, due in `dueInMs`. */
function askOf(owner: Owner, fields: Partial<NewApproval> = {}, dueInMs: number | null = null): Write {
  const opens = { ...ASKED, ...fields };
  const began = attemptOf(owner, { key: opens.key, kind: "approval", state: "waiting", error: null }, dueInMs);
  return { ...(began as Extract<Write, { kind: "attempt" }>), opens };
}

/** Its outcome. */
function outcomeOf(owner: Owner, value: string, fields: { readonly key?: string; readonly seq?: number } = {}): Write {
  return checkpointOf(owner, { key: "sign", kind: "approval", value, seq: 9, ...fields });
}

/** A decision on it, under an operation of its own. */
function decisionOf(operationId: string, fields: { readonly name?: string } = {}): Write {
  return postOf("r", { kind: "decision", name: "sign", payload: '{"answer":"approved"}', operationId, ...fields });
}

/** Ids of the runs whose approvals are listed. */
async function listed({ store }: Scene, filter: Partial<Parameters<typeof store.listApprovals>[0]> = {}) {
  const { approvals } = await store.listApprovals({ state: "open", limit: 10, ...filter });
  return approvals.map(({ runId }) => runId);
}

/** The chapter on what people are asked. */
export const approvals: Chapter = ({ expect }, play) => {
  play(
    "A4: the beginning of a wait opens it, with its deadline rounded up, and the outcome closes it",
    async (scene) => {
      const owner = await insertHeld(scene, { actor: "ann" });
      await flushOne(scene, askOf(owner, {}, 10.5));
      const found = await scene.store.findApproval(refOf("r"), "sign");
      const times = { openedAtMs: NOW, dueAtMs: NOW + 11, closedAtMs: null };
      const open = {
        ...ASKED,
        ...times,
        namespace: "test",
        name: "work",
        runId: "r",
        requestedBy: "ann",
        state: "open",
      };
      expect(found).toMatchObject({ rowId: owner.rowId, approval: open, decisions: [] });
      expect(await listed(scene)).toEqual(["r"]);
      await flushOne(scene, outcomeOf(owner, '{"state":"timed_out","decisions":[]}'), NOW + 12);
      const closed = { ...open, state: "timed_out", closedAtMs: NOW + 12 };
      expect((await scene.store.findApproval(refOf("r"), "sign"))?.approval).toMatchObject(closed);
      expect(await listed(scene)).toEqual([]);
      expect(await listed(scene, { state: "timed_out", to: ["heads"] })).toEqual(["r"]);
      expect(await scene.store.findApproval(refOf("r"), "other")).toBe(null);
      expect(await scene.store.findApproval(refOf("nobody"), "sign")).toBe(null);
    },
  );

  play("A4: it is opened and closed in one flush, too, and given up is closed", async (scene) => {
    const owner = await insertHeld(scene);
    const lost = checkpointOf(owner, { key: "sign", kind: "approval", outcome: "cancelled", value: "{}", seq: 3 });
    const results = await scene.store.flush([askOf(owner), lost], NOW);
    expect(results.map(({ kind }) => kind)).toEqual(["stored", "stored"]);
    expect(await listed(scene)).toEqual([]);
    expect(await listed(scene, { state: "cancelled" })).toEqual(["r"]);
  });

  play("S5: what is submitted again opens and closes nothing twice", async (scene) => {
    const owner = await insertHeld(scene);
    for (let time = 0; time < 2; time += 1) await scene.store.flush([askOf(owner)], NOW + time);
    const [approved, refused] = ['{"state":"approved"}', '{"state":"refused"}'];
    await flushOne(scene, outcomeOf(owner, approved), NOW + 5);
    await flushOne(scene, outcomeOf(owner, refused), NOW + 6);
    await flushOne(scene, askOf(owner), NOW + 7);
    const found = await scene.store.findApproval(refOf("r"), "sign");
    expect(found?.approval).toMatchObject({ state: "approved", openedAtMs: NOW, closedAtMs: NOW + 5 });
    expect(await listed(scene)).toEqual([]);
  });

  play("S2: a stale owner opens, changes and closes nothing", async (scene) => {
    const owner = await insertHeld(scene);
    const stale = { ...owner, fence: 7 };
    expect(await flushOne(scene, askOf(stale))).toEqual({ kind: "stale" });
    expect(await listed(scene)).toEqual([]);
    await flushOne(scene, askOf(owner));
    expect(await scene.store.updateApproval(stale, { ...ASKED, title: "?" })).toBe(null);
    expect(await flushOne(scene, outcomeOf(stale, '{"state":"approved"}'))).toEqual({ kind: "stale" });
    await crash(scene, owner.workerId);
    expect(await scene.store.updateApproval(owner, { ...ASKED, title: "?" })).toBe(null);
    expect((await scene.store.findApproval(refOf("r"), "sign"))?.approval).toMatchObject({ ...ASKED, state: "open" });
  });

  play("its owner brings it up to date while it is open; when it was opened stays", async (scene) => {
    const owner = await insertHeld(scene);
    await flushOne(scene, askOf(owner));
    const update = { ...ASKED, title: "Refund now?", to: ["kim", "board"], request: "{}" };
    expect(await scene.store.updateApproval(owner, update)).toBe(NOW);
    expect((await scene.store.findApproval(refOf("r"), "sign"))?.approval).toMatchObject(update);
    expect(await listed(scene, { to: ["board"] })).toEqual(["r"]);
    expect(await listed(scene, { to: ["heads"] })).toEqual([]);
    await flushOne(scene, outcomeOf(owner, '{"state":"refused"}'));
    expect(await scene.store.updateApproval(owner, ASKED)).toBe(null);
    expect(await listed(scene, { to: ["board"] })).toEqual([]);
    expect(await listed(scene, { to: ["board"], state: "refused" })).toEqual(["r"]);
  });

  play("S7: a decision wakes its run, and is shown with the run's verdict", async (scene) => {
    const owner = await insertHeld(scene);
    await flushOne(scene, decisionOf("early"), NOW - 1);
    await flushOne(scene, askOf(owner));
    await flushOne(scene, parkOf(owner, { inboxSeen: 1 }));
    expect(await flushOne(scene, decisionOf("a"), NOW + 1)).toMatchObject({ kind: "posted", claimable: true });
    await flushOne(scene, decisionOf("other", { name: "other" }), NOW + 1);
    await flushOne(scene, decisionOf("b"), NOW + 2);
    const next = await claimOne(scene, NOW + 3);
    const verdict = '{"verdict":"repeated"}';
    await flushOne(scene, checkpointOf(next, { key: "@decision/sign/2", kind: "decision", value: verdict, seq: 4 }, 2));
    const said = { actor: "kim", payload: '{"answer":"approved"}' };
    expect((await scene.store.findApproval(refOf("r"), "sign"))?.decisions).toEqual([
      { ...said, seq: 2, operationId: "a", atMs: NOW + 1, verdict },
      { ...said, seq: 4, operationId: "b", atMs: NOW + 2, verdict: null },
    ]);
  });

  play("P11: pages go from the newest to the oldest, by addressee and by workflow", async (scene) => {
    for (const id of ["a", "b", "c", "d"]) {
      const owner = await insertHeld(scene, { id });
      await flushOne(scene, askOf(owner, { to: id === "b" ? ["heads"] : ["kim", "heads"] }));
    }
    const other = await scene.store.ensureVersion({ namespace: "else", name: "work", version: "1.0.0" });
    const elsewhere = insertOf(aRun(scene, { id: "e", versionId: other.versionId }));
    const inserted = await flushOne(scene, { ...elsewhere, claimFor: scene.workerId });
    const rowId = inserted.kind === "inserted" ? inserted.rowId : -1;
    await flushOne(scene, askOf({ rowId, workerId: scene.workerId, fence: 1 }));
    expect(await listed(scene)).toEqual(["e", "d", "c", "b", "a"]);
    expect(await listed(scene, { to: ["kim", "heads", "nobody"] })).toEqual(["e", "d", "c", "b", "a"]);
    expect(await listed(scene, { to: ["kim"], namespace: "test" })).toEqual(["d", "c", "a"]);
    expect(await listed(scene, { namespace: "else", name: "work" })).toEqual(["e"]);
    expect(await listed(scene, { to: ["nobody"] })).toEqual([]);
    const first = await scene.store.listApprovals({ state: "open", to: ["kim"], limit: 2 });
    expect(first.approvals.map(({ runId }) => runId)).toEqual(["e", "d"]);
    expect(await listed(scene, { to: ["kim"], beforeId: first.beforeId! })).toEqual(["c", "a"]);
  });
};
