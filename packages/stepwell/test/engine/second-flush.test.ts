/** G1: when a second flush begins beside one that is under way, and what it may hold. */
import { expect, it } from "vitest";
import { openCommitter } from "../../src/engine/commit.ts";
import { openHost } from "../../src/engine/host.ts";
import { StepwellError } from "../../src/model/errors.ts";
import type { Store } from "../../src/store/store.ts";
import type { Write, WriteResult } from "../../src/store/write.ts";

const STORED = { kind: "stored", atMs: 1 } as const;

/** A write about run `rowId`; `value` tells it from others. */
const progress = (rowId: number, value: string): Write => ({
  kind: "progress",
  owner: { rowId, workerId: 1, fence: 1 },
  value,
});

/** A group commit on a store that answers when it is told. Each flush as `run:value` of its writes. */
function open(secondFlush: Store["secondFlush"]) {
  const flushes: string[][] = [];
  const ends: ((error?: StepwellError) => void)[] = [];
  const flush = (writes: readonly Write[]): Promise<readonly WriteResult[]> =>
    new Promise((resolve, reject) => {
      flushes.push(writes.map((write) => (write.kind === "progress" ? `${write.owner.rowId}:${write.value}` : "")));
      ends.push((error) => (error === undefined ? resolve(writes.map(() => STORED)) : reject(error)));
    });
  const store = { secondFlush, flush } as unknown as Store;
  const committer = openCommitter(openHost(), store, () => {});
  const answered: string[] = [];
  const submit = (rowId: number, value: string): void =>
    committer.submit(progress(rowId, value), () => answered.push(`${rowId}:${value}`));
  return { committer, flushes, ends, answered, submit };
}

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

it("a second flush waits until enough writes do, and for nothing else", async () => {
  const { flushes, ends, submit } = open({ writesMin: 2, writesMax: 3 });
  submit(1, "a");
  await turns();
  submit(2, "a");
  await turns();
  expect(flushes).toEqual([["1:a"]]);
  submit(3, "a");
  await turns();
  expect(flushes).toEqual([["1:a"], ["2:a", "3:a"]]);
  for (const rowId of [4, 5, 6]) submit(rowId, "a");
  await turns();
  expect(flushes, "two at most").toHaveLength(2);
  ends[0]!();
  await turns();
  expect(flushes[2]).toEqual(["4:a", "5:a", "6:a"]);
});

it("a run has writes in one of them alone, in their order", async () => {
  const { committer, flushes, ends, answered, submit } = open({ writesMin: 1, writesMax: 10 });
  submit(1, "a");
  await turns();
  submit(1, "b");
  await turns();
  expect(flushes, "the same run").toHaveLength(1);
  submit(2, "a");
  submit(1, "c");
  await turns();
  expect(flushes).toEqual([["1:a"], ["2:a"]]);
  ends[1]!();
  await turns();
  expect(flushes).toHaveLength(2);
  ends[0]!();
  await turns();
  expect(flushes[2]).toEqual(["1:b", "1:c"]);
  ends[2]!();
  await committer.idle();
  expect(answered).toEqual(["2:a", "1:a", "1:b", "1:c"]);
});

it("what is more than one flush may hold goes into the second at once", async () => {
  const { flushes, submit } = open({ writesMin: 2, writesMax: 3 });
  for (const rowId of [1, 2, 3, 4, 5, 6, 7]) submit(rowId, "a");
  await turns();
  expect(flushes).toEqual([
    ["1:a", "2:a", "3:a"],
    ["4:a", "5:a", "6:a"],
  ]);
});

it("P1: one of unknown outcome comes again before anything newer of its runs", async () => {
  const { committer, flushes, ends, answered, submit } = open({ writesMin: 1, writesMax: 10 });
  submit(1, "a");
  await turns();
  submit(2, "a");
  await turns();
  submit(1, "b");
  ends[0]!(new StepwellError("STORE_OUTCOME_UNKNOWN", "gone"));
  await turns();
  expect(flushes, "not at once").toHaveLength(2);
  ends[1]!();
  await expect.poll(() => flushes.length).toBe(3);
  expect(flushes[2]).toEqual(["1:a", "1:b"]);
  ends[2]!();
  await committer.idle();
  expect(answered).toEqual(["2:a", "1:a", "1:b"]);
});

it("a store that takes one at a time gets one at a time", async () => {
  const { flushes, ends, submit } = open(null);
  submit(1, "a");
  await turns();
  for (const rowId of [2, 3]) submit(rowId, "a");
  await turns();
  expect(flushes).toEqual([["1:a"]]);
  ends[0]!();
  await turns();
  expect(flushes[1]).toEqual(["2:a", "3:a"]);
});
