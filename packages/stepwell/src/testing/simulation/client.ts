/**
 * Client: those who want runs. It asks whichever process is up, asks again when
 * nobody answers or the store is in trouble, and writes down what was acknowledged.
 */
import type { Engine } from "../../engine/engine.ts";
import type { RunOutcome } from "../../engine/handle.ts";
import { toJson } from "./case.ts";
import { type Request, runText } from "./evidence.ts";
import type { Process } from "./kernel.ts";
import type { DecisionPlan, RunPlan } from "./scenario.ts";
import { APPROVAL, ORDER } from "./behaviour.ts";
import { addStray, isStoreTrouble, type World } from "./world.ts";

/** The client of a simulation. */
export type Client = {
  readonly requests: readonly Request[];
  /** Wishes that nobody has answered yet. */
  readonly open: () => number;
};

/** How long the client waits for an answer before it asks somebody else. */
const PATIENCE_MS = 6_000;
/** How often the operator looks. */
const LOOK_MS = 500;
/** Pause after a refusal. */
const AGAIN_MS = 300;

/** How long who decides waits for the verdict. */
const VERDICT_MS = 2_000;
/** How often an approval is looked for that is not there. */
const MISSES_MAX = 40;
/** Not yet, or not here. */
const AGAIN: readonly unknown[] = ["ENGINE_CLOSED", "RUN_NOT_FOUND", "APPROVAL_NOT_FOUND"];

type State = {
  readonly world: World;
  readonly process: Process;
  readonly requests: Request[];
  /** Ends that the operator did not accept: run and generation. */
  readonly retried: Set<string>;
  /** Runs that the operator has cancelled. */
  readonly cancelled: Set<number>;
  open: number;
};

/** Carry out the plans of the world's scenario; the client itself never crashes. */
export function openClient(world: World): Client {
  const process = world.machine.kernel.openProcess("client");
  const state: State = { world, process, requests: [], retried: new Set(), cancelled: new Set(), open: 0 };
  for (const plan of world.scenario.runs) schedule(state, plan);
  operate(state);
  return { requests: state.requests, open: () => state.open };
}

function schedule(state: State, plan: RunPlan): void {
  const run = `sim/${plan.shape} ${plan.id}`;
  const begin = (atMs: number, act: () => void): void => {
    state.open += 1;
    state.process.timer(atMs, act);
  };
  for (let count = 0; count < plan.starts; count += 1) {
    begin(plan.startMs + count * 50, () => askToStart(state, plan, run));
  }
  plan.signals.forEach((sent, index) => {
    const request = { kind: "signal", name: sent.name, payload: toJson(sent.payload), operation: `${index}` } as const;
    let kept: Request | null = null;
    for (let count = 0; count < sent.times; count += 1) {
      begin(sent.atMs + count * 700, () => {
        kept ??= newRequest(state, run, request);
        const definition = sent.name === "order" ? ORDER : APPROVAL;
        const options = { id: `${plan.id}-${index}` };
        wish(state, kept, (engine) => engine.signal(`sim/${plan.shape}`, plan.id, definition, sent.payload, options));
      });
    }
  });
  plan.decisions.forEach((decision, index) => scheduleDecision(state, plan, decision, index));
  if (plan.pause !== null) schedulePause(state, plan, plan.pause);
  if (plan.cancelMs === null) return;
  begin(plan.cancelMs, () => {
    const reason = { reason: "changed my mind" };
    wish(state, newRequest(state, run, { kind: "cancel" }), (engine) =>
      engine.cancel(`sim/${plan.shape}`, plan.id, reason),
    );
  });
}

/** Whoever asks in vain for long enough gives up: the run may never come to it. */
function scheduleDecision(state: State, plan: RunPlan, decision: DecisionPlan, index: number): void {
  const { key, actor, answer, n, atMs, times } = decision;
  const workflow = `sim/${plan.shape}`;
  const ref = { workflow, runId: plan.id, name: key };
  const sent = { actor, id: `${index}`, wait: VERDICT_MS };
  const form = key === "sign" ? { form: { n } } : {};
  const wanted = { kind: "decision", key, actor, operation: `decision:${index}`, told: null } as const;
  for (let count = 0; count < times; count += 1) {
    state.open += 1;
    state.process.timer(atMs + count * 700, () => {
      const request = newRequest(state, `${workflow} ${plan.id}`, wanted);
      const tell = (told: string): void => void (request.kind === "decision" && (request.told = told));
      let misses = 0;
      wish(state, request, async ({ approvals }) => {
        const deciding =
          answer === "approved" ? approvals.approve(ref, { ...sent, ...form }) : approvals.refuse(ref, sent);
        await deciding.then(
          (receipt) => tell(receipt.state),
          (error: unknown) => {
            const code = String((error as { readonly code?: unknown }).code);
            if (!code.startsWith("APPROVAL_")) throw error;
            misses += 1;
            if (code === "APPROVAL_NOT_FOUND" && misses < MISSES_MAX) throw error;
            tell(code);
          },
        );
      });
    });
  }
}

/** Each is asked for under one id, so that an asking which arrives late pauses nothing again. */
function schedulePause(state: State, plan: RunPlan, { atMs, forMs }: NonNullable<RunPlan["pause"]>): void {
  const workflow = `sim/${plan.shape}`;
  const run = `${workflow} ${plan.id}`;
  const resume = (): void =>
    wish(state, newRequest(state, run, { kind: "resume" }), (engine) =>
      engine.resume(workflow, plan.id, { id: "resume", reason: "go on" }),
    );
  const pause = async (engine: Engine): Promise<void> => {
    await engine.pause(workflow, plan.id, { id: "pause", reason: "wait" });
    state.open += 1;
    state.process.timer(forMs, resume);
  };
  state.open += 1;
  state.process.timer(atMs, () => wish(state, newRequest(state, run, { kind: "pause" }), pause));
}

/**
 * An operator cancels what is in quarantine once the storm is over, since nothing else ever ends it, and retries the runs
 * whose plans say so.
 */
function operate(state: State): void {
  const { world, process } = state;
  const look = async (): Promise<void> => {
    if (world.disk.openTxs.size === 0) await retryEnded(state);
    const { runs } = world.healed
      ? await world.disk.store.listRuns({ states: ["quarantined"], limit: 1_000 })
      : { runs: [] };
    for (const run of runs) {
      if (state.cancelled.has(run.rowId)) continue;
      state.cancelled.add(run.rowId);
      state.open += 1;
      const { namespace, name, id } = run;
      wish(state, newRequest(state, runText(run), { kind: "cancel" }), (engine) =>
        engine.cancel(`${namespace}/${name}`, id),
      );
    }
    process.timer(LOOK_MS, () => void look());
  };
  process.timer(LOOK_MS, () => void look());
}

/** Each end once, under an id of its own. */
async function retryEnded(state: State): Promise<void> {
  const { world } = state;
  const plans = new Map(world.scenario.runs.filter(({ retries }) => retries > 0).map((plan) => [plan.id, plan]));
  if (plans.size === 0) return;
  const { runs } = await world.disk.store.listRuns({ name: "again", states: ["failed", "cancelled"], limit: 1_000 });
  for (const { namespace, name, id, generation, rowId } of runs) {
    const end = `${rowId} ${generation}`;
    if (state.retried.has(end) || generation > (plans.get(id)?.retries ?? 0)) continue;
    state.retried.add(end);
    state.open += 1;
    const request = newRequest(state, runText({ namespace, name, id }), { kind: "retry", generation });
    wish(state, request, (engine) => engine.retry(`${namespace}/${name}`, id, { id: `retry-${generation}` }));
  }
}

function askToStart(state: State, plan: RunPlan, run: string): void {
  const request = newRequest(state, run, { kind: "start", input: toJson(plan.input) });
  const answer = newRequest(state, run, { kind: "outcome", answer: null });
  wish(state, request, async (engine) => {
    const handle = await engine.start(`sim/${plan.shape}`, plan.input, { id: plan.id });
    handle.outcome().then(
      (outcome) => keepOutcome(state, answer, outcome),
      () => {},
    );
  });
}

type Unasked<T> = T extends unknown ? Omit<T, "run" | "process" | "askedAt" | "answeredAt" | "answeredMs"> : never;

function newRequest(state: State, run: string, wanted: Unasked<Request>): Request {
  const { at, process } = state.world.stamp("client");
  const request = { ...wanted, run, process, askedAt: at, answeredAt: null, answeredMs: null } as Request;
  state.requests.push(request);
  return request;
}

function keepOutcome(state: State, request: Request, outcome: RunOutcome<unknown>): void {
  if (request.kind !== "outcome") return;
  const value = outcome.state === "completed" ? toJson(outcome.output) : JSON.stringify(outcome.error.message);
  request.answer = { state: outcome.state, value };
  acknowledge(state, request);
}

function acknowledge(state: State, request: Request): void {
  const { at, trueMs } = state.world.stamp("client");
  request.answeredAt ??= at;
  request.answeredMs ??= trueMs;
}

/** Ask until somebody says yes, or a no that is final. */
function wish(state: State, request: Request, act: (engine: Engine) => Promise<void>): void {
  let settled = false;
  const settle = (): void => {
    if (!settled) state.open -= 1;
    settled = true;
  };
  let cancel = (): void => {};
  const again = (ms: number): void => {
    cancel();
    cancel = state.process.timer(ms, ask);
  };
  const ask = (): void => {
    if (settled) return;
    const asked = chooseEngine(state);
    if (asked === null) return again(AGAIN_MS);
    again(PATIENCE_MS);
    asked.process.defer(() => {
      act(asked.engine).then(() => {
        acknowledge(state, request);
        settle();
      }, refused);
    });
  };
  function refused(error: unknown): void {
    const { code } = error as { readonly code?: unknown };
    // A cancel takes a run off hold.
    if (code === "RUN_ENDED" || code === "RUN_NOT_PAUSED") return settle();
    if (isStoreTrouble(code) || AGAIN.includes(code)) return again(AGAIN_MS);
    addStray(state.world, "client", `${request.kind} of ${request.run} was refused: ${String(error)}`);
    settle();
  }
  ask();
}

/** Somebody who is up; it may be closed by the time that it hears of the wish. */
function chooseEngine(state: State): { readonly process: Process; readonly engine: Engine } | null {
  const up = state.world.slots.flatMap(({ now }) =>
    now?.engine ? [{ process: now.process, engine: now.engine }] : [],
  );
  return up.length === 0 ? null : state.world.dice.pick(up);
}
