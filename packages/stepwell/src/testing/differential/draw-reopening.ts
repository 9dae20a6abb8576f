/**
 * Drawing what operators do after an end: runs of late are reopened, mostly such as have ended, and others begin with what
 * one has recorded.
 */
import type { Dice } from "../../model/dice.ts";
import { isTerminal } from "../../model/run.ts";
import type { ReopenedRun } from "../../store/store.ts";
import { drawInsert, openDraft } from "./draw-write.ts";
import type { Named } from "./names.ts";
import type { Operation } from "./operation.ts";
import { choose, seeSome, type Sight, type View } from "./view.ts";

/** One run or two, which may be the same. */
export async function drawReopening(view: View): Promise<readonly Operation[]> {
  const { dice, nowMs } = view;
  const ended = view.runs.filter(({ state }) => isTerminal(state) || state === "paused");
  const runs: Named<ReopenedRun>[] = [];
  const count = dice.chance(0.2) ? 2 : 1;
  while (runs.length < count) {
    const sight = await seeSome(view, ended);
    if (sight === null || runs.some(({ rowId }) => rowId === sight.run.rowId)) break;
    runs.push(drawOne(dice, sight));
  }
  return runs.length === 0 ? [{ call: "listVersions" }] : [{ call: "reopenRuns", runs, nowMs }];
}

/** About a run of late, mostly under an operation of its own. */
export async function drawRemark(view: View): Promise<readonly Operation[]> {
  const { dice, nowMs } = view;
  const sight = await seeSome(view);
  if (sight === null) return [{ call: "listVersions" }];
  const { rowId, generation } = sight.run;
  const kind = dice.pick(["note", "dismissed"] as const);
  const operationId = `remark ${dice.integer(20)}`;
  return [{ call: "addRemark", rowId, remark: { kind, generation, actor: "kim", text: "é", operationId }, nowMs }];
}

/** What some run remembers, under a name that may be taken. */
export async function drawFork(view: View): Promise<readonly Operation[]> {
  const { dice, nowMs } = view;
  const born = drawInsert(openDraft(view), null);
  const sight = await seeSome(view);
  if (born.kind !== "insert_run") return [{ call: "listVersions" }];
  const copied = (sight?.memory.checkpoints ?? []).filter(() => dice.chance(0.7));
  const past = copied.map((checkpoint, index) => ({ ...checkpoint, seq: index + 2, compensable: false }));
  return [{ call: "insertForked", run: { ...born.run, parent: null }, past, nowMs }];
}

function drawOne(dice: Dice, { run, memory }: Sight): Named<ReopenedRun> {
  const { checkpoints, attempts, inbox } = memory;
  const keys = [...checkpoints, ...attempts].map(({ key }) => key);
  const forgotten = dice.chance(0.3)
    ? [...new Set(keys)]
    : checkpoints.map(({ key }) => key).filter(() => dice.chance(0.4));
  const failed = checkpoints.find(({ key }) => forgotten.includes(key));
  const { rowId } = run;
  const child = { kind: "child", name: "kid", payload: '{"state":"completed","value":"1"}', actor: "run:kid" } as const;
  return {
    rowId,
    generation: dice.chance(0.1) ? run.generation + 1 : run.generation,
    reopening: {
      forgotten,
      undoing: dice.chance(0.3)
        ? { ending: dice.pick(["failed", "cancelled"]), error: '{"name":"E","message":"é"}' }
        : null,
    },
    usedUp: inbox.filter(({ kind }) => kind !== "signal" || dice.chance(0.1)).map(({ seq }) => seq),
    deliveries: dice.chance(0.3) ? [{ ...child, operationId: `again ${run.generation} ${run.fence}` }] : [],
    note: {
      kind: choose(dice, [
        [3, "retried"],
        [1, "resolved"],
      ]),
      value: '{"reason":"\\"why\\""}',
    },
    resolved: failed !== undefined && dice.chance(0.4) ? resolvedStep(failed) : null,
  };
}

function resolvedStep({ key, kind, attempt }: Sight["memory"]["checkpoints"][number]): ReopenedRun["resolved"] {
  return { key, kind, attempt, value: '"by hand"' };
}
