/**
 * The real engine under a thousand seeds of faults. A failure names its seed; run
 * `npm run simulate -- --seed N --trace` to see what happened.
 */
import { describe, expect, it } from "vitest";
import type { HistoryEvent } from "../../src/model/history.ts";
import { decode } from "../../src/model/json.ts";
import type { StoreRecord } from "../../src/testing/simulation/evidence.ts";
import { violationText } from "../../src/testing/simulation/checker.ts";
import { CODE, SHAPE_NAMES } from "../../src/testing/simulation/shapes.ts";
import { gather, simulate } from "../../src/testing/simulation/simulate.ts";

const SEEDS = 1_000;
const BATCH = 100;
/** A hundred seeds take 4 s of a quiet processor, and 19 s in Node 22, about half of it for AsyncLocalStorage. */
const BATCH_MS_MAX = 240_000;

/** Seeds beyond the thousand that once found something. */
const REGRESSION_SEEDS: readonly number[] = [
  1146, 1526, 1626, 1653, 1670, 1688, 1690, 1760, 1810, 2054, 2107, 2133, 2298, 2711, 2734, 2752, 2932, 3031, 3128,
  3180, 3190, 3511, 3621, 3628, 4108, 5956, 5996, 8941, 10251,
];

/** What a hundred and fifty seeds must meet. */
const WANTED: readonly string[] = [
  ...SHAPE_NAMES,
  ...["completed", "failed", "cancelled", "drain", "takeover", "compensating", "released", "floating", "log"],
  "quarantined",
  ...["attempt_failed", "wait_began", "received", "start acknowledged", "signal acknowledged", "cancel acknowledged"],
  "outcome acknowledged",
  "a group of plain steps",
  ...["approvals", "decision acknowledged", "decision accepted", "decision form_invalid"],
  ...["approval approved", "approval refused", "approval timed_out", "approval cancelled"],
  ...Object.values(CODE),
];

/** Rows of savePlainSteps, see store/sqlite/plain-steps.ts. */
const GROUP = 8;

function holdsGroup(record: StoreRecord): boolean {
  if (record.kind !== "flush") return false;
  const plain = record.writes.filter((write) => {
    if (write.kind !== "checkpoint" || write.consumes !== null || write.clearsCrashes) return false;
    const { kind, outcome, attempt, compensable } = write.checkpoint;
    return kind === "step" && outcome === "completed" && attempt === 1 && !compensable;
  });
  return plain.length >= GROUP;
}

/** What people have decided, and what came of it. */
function tellApproval(event: HistoryEvent): string {
  if (event.kind !== "step") return "";
  const value =
    event.outcome === "completed" ? (decode(event.value) as { verdict?: string; state?: string } | null) : null;
  if (event.step === "decision") return `decision ${value?.verdict}`;
  return event.step === "approval" ? `approval ${value?.state ?? event.outcome}` : "";
}

async function complaints(seed: number): Promise<string[]> {
  const { violations } = await simulate(seed);
  const advice = `npm run simulate -- --seed ${seed}`;
  return violations.length === 0 ? [] : [`${violations.map(violationText).join("\n")}\n${advice}`];
}

describe("simulation", () => {
  const batches = Array.from({ length: SEEDS / BATCH }, (_, index) => 1 + index * BATCH);

  it.each(batches)(
    "keeps every promise in the hundred seeds from %i",
    async (from) => {
      const found: string[] = [];
      for (let seed = from; seed < from + BATCH; seed += 1) found.push(...(await complaints(seed)));
      expect(found.join("\n\n")).toBe("");
    },
    BATCH_MS_MAX,
  );

  it(
    "keeps every promise in the seeds that once found something",
    async () => {
      const found: string[] = [];
      for (const seed of REGRESSION_SEEDS) found.push(...(await complaints(seed)));
      expect(found.join("\n\n")).toBe("");
    },
    BATCH_MS_MAX,
  );

  it(
    "is the same for the same seed, and another for another",
    async () => {
      const hashes: string[] = [];
      for (let seed = 1; seed <= 12; seed += 1) {
        const [first, second] = [await simulate(seed), await simulate(seed)];
        expect(second.traceHash).toBe(first.traceHash);
        hashes.push(first.traceHash);
      }
      expect(new Set(hashes).size).toBe(hashes.length);
    },
    BATCH_MS_MAX,
  );

  it(
    "meets every shape, end, accident and kind of event it is meant to meet",
    async () => {
      const met = new Set<string>();
      for (let seed = 1; seed <= 150; seed += 1) {
        const { evidence } = await gather(seed);
        for (const { run, history } of evidence.stories) {
          met.add(run.name).add(run.state);
          for (const event of history) {
            met.add(event.kind === "note" ? event.note : event.kind).add(tellApproval(event));
          }
        }
        if (evidence.crashes.some((crash) => crash.graceful)) met.add("drain");
        for (const code of Object.values(evidence.codes)) met.add(code);
        if (evidence.records.some(holdsGroup)) met.add("a group of plain steps");
        for (const request of evidence.requests) {
          if (request.answeredAt !== null) met.add(`${request.kind} acknowledged`);
        }
      }
      expect(WANTED.filter((name) => !met.has(name))).toEqual([]);
    },
    BATCH_MS_MAX,
  );
});
