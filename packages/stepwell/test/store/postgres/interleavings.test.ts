/**
 * Every pair of operations on two real connections: one is held up at each row and between each two statements where that
 * is possible, the other goes on meanwhile. What remains must be what one after the other would have left.
 *
 * Here the races by name, wherever they can be held up, and a sample of all others. STEPWELL_INTERLEAVINGS=all plays them
 * all, which takes minutes; a part of a meeting's name, as a failure tells it, plays those alone.
 */
import { afterAll, beforeAll, describe, expect, it, type TestContext } from "vitest";
import { useFreshDatabase } from "../../../../../scripts/postgres/for-tests.ts";
import { type Choice, listMeetings, listRace, listSample } from "./interleavings/meetings.ts";
import { listOperations, type Operation } from "./interleavings/operations.ts";
import { type Watch, watchDriver } from "./interleavings/pauses.ts";
import { openStage, type Stage } from "./interleavings/stage.ts";
import { nameOf, openTheatre, type Theatre } from "./interleavings/theatre.ts";

const WISH = process.env["STEPWELL_INTERLEAVINGS"] ?? "";

/** Meetings that come about; fewer, and something has ceased to hold operations up. */
const ALL_LEAST = 8_000;
const SAMPLE_LEAST = 50;

const ALL_MS_MAX = 3_600_000;

/** Each with the operations that race; the first named is held up, and then the other one. */
const RACES: readonly (readonly [string, string, string])[] = [
  ["F29: a takeover and the last flush of the old worker", "somebody takes over from A", "A checkpoints"],
  ["F29: a takeover and the end of a run", "somebody takes over from A", "A completes"],
  ["F29: two who take over", "somebody takes over from A", "somebody takes over from A"],
  ["F29: a signal and the park of its run", "somebody signals run", "A parks"],
  ["F29: a worker of the same name and a renewal", "a worker of A's name registers", "A renews"],
  ["F29: a death by lapse and a renewal", "somebody finds A lapsed", "A renews late"],
  ["F16: a run that is started twice", "somebody starts a run", "B starts a run"],
  ["F5: a flush that comes again while its first is under way", "A completes", "A completes"],
  ["F5: one that comes again with more", "A checkpoints", "A checkpoints and completes"],
  ["S7: a pause and a claim", "somebody pauses due", "C claims"],
  ["S7: a resume that comes while a run is put on hold", "A holds", "somebody signals run"],
  ["P6: the end of a child and the park of its parent", "A ends the child", "B parks the parent"],
  ["P6: a wake-up and a claim", "somebody signals parked", "C claims"],
  ["P9: a claim and the death of its worker", "C claims", "somebody takes over from C"],
  ["S1: two claims", "B claims", "C claims"],
  [
    "S4: flushes that tell each other's runs",
    "A ends the child and parks",
    "B ends the grandchild and parks the parent",
  ],
  ["S4: signals to runs that park", "somebody signals the newer and the older", "A parks two, the newer first"],
];

type Open = {
  readonly stage: Stage;
  readonly theatre: Theatre;
  /** By name. */
  readonly operations: ReadonlyMap<string, Operation>;
};

/** What is played by one test, and how many meetings must come about at least. */
type Wanted = {
  readonly name: string;
  readonly choose: (open: Open) => Iterable<Choice>;
  readonly least: number;
};

const BY_DEFAULT: readonly Wanted[] = [
  ...RACES.map(([name, one, other]) => ({
    name,
    choose: ({ operations }: Open) => listRace(operations.get(one)!, operations.get(other)!),
    least: 1,
  })),
  {
    name: "a sample of all pairs",
    choose: ({ operations }) => listSample([...operations.values()]),
    least: SAMPLE_LEAST,
  },
];

const BY_WISH: Wanted = {
  name: "all pairs that are wanted",
  choose: ({ operations }) => listMeetings([...operations.values()], WISH === "all" ? "" : WISH),
  least: WISH === "all" ? ALL_LEAST : 1,
};

const WANTED = WISH === "" ? BY_DEFAULT : [BY_WISH];

async function open(url: string): Promise<Open> {
  const stage = await openStage(url);
  const operations = new Map(listOperations(stage.cast).map((operation) => [operation.name, operation]));
  return { stage, theatre: openTheatre(stage), operations };
}

describe("interleavings", { timeout: ALL_MS_MAX }, () => {
  const url = useFreshDatabase();
  const { stackTraceLimit } = Error;
  let watch: Watch | null = null;
  let opened: Promise<Open> | null = null;

  beforeAll(() => {
    // Stored failures hold stacks, which tell who called.
    Error.stackTraceLimit = 0;
    watch = watchDriver();
  });
  afterAll(async () => {
    watch?.stop();
    Error.stackTraceLimit = stackTraceLimit;
    await (await opened)?.stage.close();
  });

  /** How many came about. */
  const play = async (choose: (open: Open) => Iterable<Choice>): Promise<number> => {
    opened ??= open(url());
    const { theatre } = await opened;
    const found: string[] = [];
    let met = 0;
    for (const choice of choose(await opened)) {
      for (const meeting of choice) {
        const deadlocks = watch!.deadlocks();
        const verdict = await theatre.play(meeting);
        if (verdict.kind === "apart") continue;
        met += 1;
        if (verdict.kind === "diverges") found.push(`${nameOf(meeting)}\n${verdict.what}`);
        if (watch!.deadlocks() > deadlocks) found.push(`${nameOf(meeting)}\nwaited for each other`);
        break;
      }
    }
    expect(found.join("\n\n")).toBe("");
    return met;
  };

  it.for(WANTED.map((wanted) => [wanted.name, wanted] as const))("%s", async ([, { choose, least }], { annotate }) => {
    const met = await play(choose);
    await tell(annotate, met);
    expect(met).toBeGreaterThanOrEqual(least);
  });
});

/** In numbers, for the deep check. */
async function tell(annotate: TestContext["annotate"], met: number): Promise<void> {
  if (WISH !== "") await annotate(`${met} meetings`);
}
