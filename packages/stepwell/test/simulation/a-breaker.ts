/**
 * A circuit breaker for hand-made evidence: calls that go through it, as the store saw them. What is stored is worked out
 * by the engine's own rules, so that it is faultless unless it is broken.
 */
import { admit, type Breaker, report } from "../../src/model/breaker.ts";
import { BREAKER } from "../../src/testing/simulation/behaviour.ts";
import { type Actor, execute, fail, failure, keepRecord, settle, type Stage } from "./a-stage.ts";

/** What is stored just now. */
export type Shared = { breaker: Breaker | null };

const POLICY = { failuresMax: BREAKER.failures, resetMs: BREAKER.reset };

/** One attempt that is admitted and ends so. */
export function call(
  shared: Shared,
  actor: Actor,
  key: string,
  end: { attempt: number; result: "value" | "error" },
): void {
  const { owner, stage } = actor;
  const mark = `${owner.rowId}/${owner.fence}/${key}/${end.attempt}`;
  const admission = admit(look(shared, actor), BREAKER.name, { mark, owner });
  if (admission.kind === "refused") throw new RangeError(`${mark} was refused`);
  save(shared, actor, admission.row);
  execute(actor, key, end);
  const verdict = end.result === "value" ? "success" : "failure";
  save(shared, actor, report({ ...look(shared, actor), nowMs: stage.nowMs }, admission.pass, verdict, POLICY));
}

/** Three attempts that fail: they open it. */
export function callInVain(shared: Shared, actor: Actor, key: string): void {
  for (let attempt = 1; attempt <= BREAKER.failures; attempt += 1) {
    call(shared, actor, key, { attempt, result: "error" });
    if (attempt === BREAKER.failures) return settle(actor, { key, attempt, outcome: "failed", value: failure("x") });
    fail(actor, key, attempt, 250);
    actor.stage.nowMs += 260;
  }
}

/** As long as it stays open. */
export function sitOut(stage: Stage): void {
  stage.nowMs += BREAKER.reset;
}

function look({ breaker }: Shared, { owner, stage }: Actor) {
  const seen = { breaker, probing: false, held: true, nowMs: stage.nowMs };
  keepRecord(stage, { kind: "look", name: BREAKER.name, owner, look: seen }, `w${owner.workerId}`);
  return seen;
}

function save(shared: Shared, { owner, stage }: Actor, breaker: Breaker | null): void {
  if (breaker === null) return;
  shared.breaker = breaker;
  keepRecord(stage, { kind: "breaker", breaker, owner, saved: true }, `w${owner.workerId}`);
}
