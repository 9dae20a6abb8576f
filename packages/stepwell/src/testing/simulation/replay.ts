/**
 * Replay: a run that has ended is given to a fresh engine as if it had not, with its
 * recorded history and nothing else. The body must ask for what is recorded, and for
 * no more, and end as it did.
 */
import { openEngineOn } from "../../engine/engine.ts";
import { openDice } from "../../model/dice.ts";
import type { Run } from "../../model/run.ts";
import type { Claim, Memory, Store } from "../../store/store.ts";
import type { Write, WriteResult } from "../../store/write.ts";
import { undoKey } from "./case.ts";
import type { Evidence, Replay, Story } from "./evidence.ts";
import { runText } from "./evidence.ts";
import { openMachine, openSimulatedHost } from "./host.ts";
import { openKernel } from "./kernel.ts";
import { CODE, openShapes } from "./shapes.ts";
import type { World } from "./world.ts";

/** Runs replayed per simulation; enough over a thousand seeds. */
const REPLAYS_MAX = 3;

/** True time that a replay may take: nothing of it waits. */
const REPLAY_MS_MAX = 10_000;

/** Replay some runs that ended by themselves. A cancel or a deadline comes from outside and leaves a body in the middle. */
export async function replayStories(world: World, evidence: Evidence): Promise<readonly Replay[]> {
  const ended = evidence.stories.filter(({ run, history }) => {
    const cancelled = history.some((event) => event.kind === "received" && event.item === "cancel");
    // Also as the cause of an undoing that failed.
    const expired = run.error?.includes('"RUN_TIMEOUT"') === true;
    return (run.state === "completed" || run.state === "failed") && !cancelled && !expired;
  });
  const replays: Replay[] = [];
  for (const story of ended.slice(0, REPLAYS_MAX)) replays.push(await replay(world, story));
  return replays;
}

async function replay(world: World, story: Story): Promise<Replay> {
  const kernel = openKernel({
    dice: openDice(`replay ${world.seed}`),
    drain: () => new Promise((resolve) => setImmediate(resolve)),
    thrown: () => {},
  });
  const machine = openMachine(kernel, true);
  const process = kernel.openProcess("replay");
  const host = openSimulatedHost(machine, process, { dice: openDice(`replay host ${world.seed}`), skewMs: 0 });
  const asked: Write[] = [];
  const store = openReplayStore(world.disk.store, { story, asked, nowMs: host.nowMs });
  const stamp = (): { at: number; trueMs: number; process: string } => ({
    at: 0,
    trueMs: kernel.nowMs(),
    process: "replay",
  });
  const desk = {
    seed: world.seed,
    log: { push: () => {} },
    stamp,
    wallMs: host.nowMs,
    wait: process.timer,
    nextExecution: () => 0,
    die: () => false,
  };
  const options = { workflows: openShapes(desk, CODE.newer), lease: "1h", grace: 0, stuckAfter: false } as const;
  process.defer(() => void openEngineOn(store, host, options));
  const ended = (): boolean =>
    asked.some((write) => write.kind === "transition" && write.transition.kind in END_STATES);
  await kernel.run(ended, REPLAY_MS_MAX);
  const floating = floatingKeys(story);
  return {
    run: runText(story.run),
    recorded: endText(story.run),
    writes: asked.flatMap((write) => writeText(write, floating)),
  };
}

const END_STATES = { complete: "completed", fail: "failed", cancel: "cancelled" } as const;

/** Gives one ended run as if it were unfinished, and keeps what is written instead of storing it. */
function openReplayStore(
  store: Store,
  { story, asked, nowMs }: { readonly story: Story; readonly asked: Write[]; readonly nowMs: () => number },
): Store {
  const { run, memory } = story;
  let given = false;
  const unfinished: Run = {
    ...run,
    state: "running",
    output: null,
    error: null,
    ending: null,
    workerId: 1,
    fence: run.fence + 1,
    endedAtMs: null,
    dueAtMs: null,
  };
  const claim: Claim = { run: unfinished, nowMs: run.createdAtMs };
  // What lay unread in the inbox at the end may have come later than any wait.
  const recorded: Memory = { ...memory, inbox: [] };
  return {
    ...store,
    flush: (writes) => {
      asked.push(...writes);
      return Promise.resolve(writes.map((): WriteResult => ({ kind: "stored", atMs: nowMs() })));
    },
    resumePaused: () => Promise.resolve(0),
    claimRuns: () => {
      const claims = given ? [] : [claim];
      given = true;
      return Promise.resolve(claims);
    },
    nextDue: () => Promise.resolve({ runInMs: null, suspectInMs: null, newestVersionId: 0 }),
    loadMemory: () => Promise.resolve(recorded),
    listInbox: () => Promise.resolve([]),
    registerWorker: () => Promise.resolve(1),
    renewWorker: () => Promise.resolve({ alive: true, othersLapseInMs: null, newestWorkerId: 1 }),
    listWorkers: () => Promise.resolve([]),
    retireWorker: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}

function endText(run: Run): string {
  return `${run.state} ${run.state === "completed" ? run.output : ""}`;
}

/** Steps that were under way when the body ended, and their undoing: known by a note, with or without an outcome. */
function floatingKeys({ history }: Story): ReadonlySet<string> {
  const notes = history.flatMap((event) => (event.kind === "note" && event.note === "floating" ? [event.value] : []));
  const keys = notes.map((value) => (JSON.parse(value) as { readonly key: string }).key);
  return new Set([...keys, ...keys.map(undoKey)]);
}

/** What a write asks for that a replay must not: nothing where it may. */
function writeText(write: Write, floating: ReadonlySet<string>): { readonly fresh: boolean; readonly text: string }[] {
  const step = (key: string, what: string) => (floating.has(key) ? [] : [{ fresh: true, text: `${what} "${key}"` }]);
  switch (write.kind) {
    case "checkpoint":
      return step(write.checkpoint.key, "step");
    case "attempt":
      return step(write.attempt.key, "attempt of");
    case "insert_run":
      return step(write.run.parent?.key ?? "", `child ${write.run.id} of`);
    case "transition": {
      const { transition } = write;
      if (!(transition.kind in END_STATES)) return [];
      const state = END_STATES[transition.kind as keyof typeof END_STATES];
      return [{ fresh: false, text: `${state} ${transition.kind === "complete" ? transition.output : ""}` }];
    }
    case "note":
    case "progress":
    case "attributes":
    case "beat":
    case "post":
    case "wake":
      return [];
  }
}
