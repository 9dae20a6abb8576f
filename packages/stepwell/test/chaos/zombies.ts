/**
 * Zombies: a worker that is held still for longer than its lease, and then goes on as if nothing had happened (F12), and
 * one that is cut off from the database and cannot know whether it is still held for alive (F10).
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Dice } from "../../src/model/dice.ts";
import type { HistoryEvent } from "../../src/model/history.ts";
import type { Evidence, Story, WitnessEvent } from "../../src/testing/simulation/evidence.ts";
import { runText } from "../../src/testing/simulation/evidence.ts";
import { readLines } from "../fleet/evidence.ts";
import type { Fleet, Harbour, Hire, Member } from "../fleet/fleet.ts";
import { underLoad } from "./load.ts";
import { openProxy } from "./proxy.ts";

/** How long, how often. */
export type Haunting = {
  readonly dice: Dice;
  readonly workers: number;
  readonly leaseMs: number;
  readonly rounds: number;
};

/** What became of one victim and its runs. */
export type Haunted = {
  readonly victim: string;
  /** Runs in whose step code it was. */
  readonly held: number;
  /** From the moment it was struck until the last of them was taken from it, and had begun elsewhere. */
  readonly takenMs: number;
  readonly resumedMs: number;
  /** Steps that it ended with a value when they were not its own any more: none of them is a checkpoint. */
  readonly refused: number;
  /** And those that are one all the same. */
  readonly stored: number;
  /** Steps whose signal was fired, and when the last of them was: from the blow, or from its waking up, on. */
  readonly aborted: number;
  readonly abortedMs: number;
};

/** What came of all rounds. */
export type Ghosts = { readonly violations: readonly string[]; readonly haunted: readonly Haunted[] };

/** When somebody was struck, and when he was let go. By the machine's clock. */
type Blow = { readonly victim: string; readonly fromMs: number; readonly toMs: number };

/** P9. */
const TAKEOVER_MS = 2_000;

/** Slots for all runs also when one worker is missing. */
const RUNS_PER_WORKER = 4;

/** Longer than a takeover takes, so that the victim is late for sure. */
const STOPPED_MS_MORE = 2_500;

/** What a blow takes until it is felt: what ends before may have been stored. */
const STRIKE_MS = 100;

/** What the machine may take to let a process run. */
const SLACK_MS = 500;

/** Hold one worker after the other still. */
export async function suspendWorkers(harbour: Harbour, haunting: Haunting): Promise<Ghosts> {
  const { leaseMs, rounds } = haunting;
  const blows: Blow[] = [];
  const { violations, evidence } = await underLoad(harbour, loadOf(haunting, {}), async ({ fleet, workers }) => {
    for (let round = 0; round < rounds; round += 1) {
      await sleep(CALM_MS + haunting.dice.integer(leaseMs));
      const victim = workers[round % workers.length]!;
      await untilBusy(fleet, victim);
      const fromMs = Date.now();
      victim.suspend();
      await sleep(leaseMs + STOPPED_MS_MORE);
      victim.resume();
      blows.push({ victim: victim.name, fromMs, toMs: Date.now() });
    }
    await sleep(CALM_MS);
  });
  const haunted = blows.map((blow) => haunt(evidence, blow, blow.toMs));
  const found = haunted.flatMap((ghost) => [
    ...ghostFaults(ghost, leaseMs),
    ...(ghost.abortedMs > SLACK_MS ? [`${ghost.victim} fired signals ${ghost.abortedMs} ms after it woke up`] : []),
  ]);
  return { violations: [...violations, ...found], haunted };
}

/** Between two victims. */
const CALM_MS = 1_500;

/** Until it is in the code of a step. One that nobody gives work for long is struck as it is, and found to hold nothing. */
async function untilBusy(fleet: Fleet, { name }: Member): Promise<void> {
  for (let looks = 0; looks < LOOKS_MAX && openSteps(fleet, name) === 0; looks += 1) await sleep(LOOK_MS);
}

const LOOK_MS = 50;
const LOOKS_MAX = 400;

function openSteps(fleet: Fleet, name: string): number {
  const own = readLines<WitnessEvent>(fleet.files.witness).filter((event) => event.process === name);
  return own.filter(isStart).length - own.filter(isEnd).length;
}

/** Cut one worker off, which fences itself; then let it come back, which it does as another. */
export async function cutWorkerOff(harbour: Harbour, haunting: Haunting): Promise<Ghosts> {
  const { leaseMs, rounds, dice } = haunting;
  const blows: Blow[] = [];
  const proxy = await openProxy(harbour.store);
  const { violations, evidence } = await underLoad(
    harbour,
    loadOf(haunting, { store: proxy.url }),
    async ({ fleet, workers }) => {
      for (let round = 0; round < rounds; round += 1) {
        await sleep(CALM_MS + dice.integer(leaseMs));
        await untilBusy(fleet, workers[0]!);
        const fromMs = Date.now();
        proxy.silence(true);
        await sleep(leaseMs + STOPPED_MS_MORE);
        proxy.silence(false);
        blows.push({ victim: workers[0]!.name, fromMs, toMs: Date.now() });
      }
      await sleep(leaseMs + CALM_MS);
    },
  );
  await proxy.close();
  const haunted = blows.map((blow) => haunt(evidence, blow, blow.fromMs));
  const found = haunted.flatMap((ghost, round) => [
    ...ghostFaults(ghost, leaseMs),
    ...fenceFaults(evidence, { ghost, blow: blows[round]!, leaseMs }),
  ]);
  return { violations: [...violations, ...found], haunted };
}

/** The first worker is hired as told. */
function loadOf({ dice, workers, leaseMs }: Haunting, first: Hire): Parameters<typeof underLoad>[1] {
  const hires = Array.from({ length: workers }, (_, index) => ({
    lease: `${leaseMs}ms`,
    slots: workers * RUNS_PER_WORKER,
    ...(index === 0 ? first : {}),
  }));
  return { dice, workers: hires, lanes: workers * RUNS_PER_WORKER, shapes: ["patient"] };
}

/** @param wakeMs from when on its signals should have fired */
function haunt(evidence: Evidence, { victim, fromMs, toMs }: Blow, wakeMs: number): Haunted {
  const own = evidence.witness.filter((event) => event.process === victim);
  const struckMs = fromMs + STRIKE_MS;
  const ends = own.filter(isEnd).filter((event) => event.trueMs >= struckMs);
  const open = own.filter(isStart).filter((start) => start.trueMs < struckMs && !own.some(endsBefore(start, struckMs)));
  const runs = new Set(open.map((event) => event.run));
  const stories = evidence.stories.filter(({ run }) => runs.has(runText(run)));
  const late = ends.filter((end) => runs.has(end.run) && open.some((start) => start.execution === end.execution));
  const aborted = late.filter((end) => end.result === "error");
  return {
    victim,
    held: runs.size,
    takenMs: latest(stories.map((story) => takenAtMs(story, fromMs))) - fromMs,
    resumedMs: latest([...runs].map((run) => begunElsewhereMs(evidence, run, { victim, fromMs, toMs }))) - fromMs,
    refused: late.filter((end) => end.result === "value" && !isStored(stories, end)).length,
    stored: late.filter((end) => end.result === "value" && isStored(stories, end)).length,
    aborted: aborted.length,
    abortedMs: latest(aborted.map((end) => end.trueMs)) - wakeMs,
  };
}

type Start = WitnessEvent & { readonly kind: "start" };
type End = WitnessEvent & { readonly kind: "end" };

function isStart(event: WitnessEvent): event is Start {
  return event.kind === "start";
}

function isEnd(event: WitnessEvent): event is End {
  return event.kind === "end";
}

function endsBefore(start: Start, ms: number): (event: WitnessEvent) => boolean {
  return (event) => isEnd(event) && event.execution === start.execution && event.trueMs < ms;
}

/** -Infinity: there is none. */
function latest(moments: readonly number[]): number {
  return Math.max(...moments);
}

/** Infinity: it never was. */
function takenAtMs({ history }: Story, fromMs: number): number {
  const note = history.find((event) => isTakeover(event) && event.atMs >= fromMs);
  return note?.atMs ?? Infinity;
}

function isTakeover(event: HistoryEvent): boolean {
  return event.kind === "note" && event.note === "takeover";
}

function begunElsewhereMs({ witness }: Evidence, run: string, { victim, fromMs }: Blow): number {
  const start = witness.find(
    (event) => isStart(event) && event.run === run && event.process !== victim && event.trueMs >= fromMs,
  );
  return start?.trueMs ?? Infinity;
}

/** A step's value names its execution. */
function isStored(stories: readonly Story[], end: End): boolean {
  const story = stories.find(({ run }) => runText(run) === end.run);
  const checkpoint = story?.memory.checkpoints.find(({ key }) => key === end.key);
  return checkpoint?.value === JSON.stringify(`${end.key}#${end.execution}`);
}

function ghostFaults(ghost: Haunted, leaseMs: number): string[] {
  const { victim, held, takenMs, resumedMs, refused, stored, aborted } = ghost;
  const faults: string[] = [];
  if (held === 0) faults.push(`${victim} held nothing when it was struck`);
  if (takenMs > leaseMs + TAKEOVER_MS) faults.push(`the runs of ${victim} were taken over after ${takenMs} ms`);
  if (resumedMs > leaseMs + TAKEOVER_MS + SLACK_MS) faults.push(`the runs of ${victim} went on after ${resumedMs} ms`);
  if (stored > 0) faults.push(`${stored} values that ${victim} had late were stored`);
  if (refused + aborted === 0) faults.push(`${victim} did nothing late`);
  return faults;
}

/** F10: by its own clock, before anybody else may have its runs. */
function fenceFaults(
  { witness, stories }: Evidence,
  { ghost, blow, leaseMs }: { readonly ghost: Haunted; readonly blow: Blow; readonly leaseMs: number },
): string[] {
  const { victim, fromMs, toMs } = blow;
  const faults: string[] = [];
  const fencedMs = (leaseMs * 2) / 3 + SLACK_MS;
  if (ghost.abortedMs > fencedMs) faults.push(`${victim} fenced itself after ${ghost.abortedMs} ms`);
  const late = witness.filter(
    (event) => isStart(event) && event.process === victim && event.trueMs > fromMs + fencedMs && event.trueMs < toMs,
  );
  if (late.length > 0) faults.push(`${victim} began ${late.length} steps when it was cut off`);
  const takenAtMs = stories.flatMap(({ history }) =>
    history.filter((event) => isTakeover(event) && event.atMs > fromMs && event.atMs < toMs).map(({ atMs }) => atMs),
  );
  if (Math.min(...takenAtMs) - fromMs < ghost.abortedMs) faults.push(`${victim} lost its runs before it fenced itself`);
  if (!witness.some((event) => isStart(event) && event.process === victim && event.trueMs > toMs)) {
    faults.push(`${victim} has not come back`);
  }
  return faults;
}
