/**
 * Evidence of a fleet: what its processes wrote down, and what the store holds in the end, for the checker of the
 * simulation. Nobody kept the store's own records here; the checker knows which invariants can do without.
 */
import { existsSync, readFileSync } from "node:fs";
import { openHost } from "../../src/engine/host.ts";
import { isTerminal, type Run } from "../../src/model/run.ts";
import type { Store } from "../../src/store/store.ts";
import type { Crash, Evidence, Request, Story, WitnessEvent } from "../../src/testing/simulation/evidence.ts";
import { POLICIES } from "../../src/testing/simulation/shapes.ts";
import { openStoreAt } from "./store-at.ts";

/** Where a fleet's evidence is. */
export type Files = {
  /** URL of the store. */
  readonly store: string;
  readonly witness: string;
  readonly requests: string;
  readonly log: string;
};

/** Everything has ended, whenever: how long things take on a machine that others use, too, is for whoever measures it. */
const SOONER_OR_LATER = {
  leaseMs: Infinity,
  healedMs: 0,
  healingMs: Infinity,
  setBackMs: 0,
  cancelMs: Infinity,
  calm: false,
} satisfies Partial<Evidence>;

/** Runs read at a time. */
const PAGE = 500;
const SIDE_BY_SIDE = 4;

/** Read it. `afterRowId`: runs up to that one are another's. */
export async function readEvidence(files: Files, afterRowId: number, crashes: readonly Crash[]): Promise<Evidence> {
  const store = await openStoreAt(files.store, openHost());
  const stories = await readStories(store, afterRowId);
  await store.close();
  return {
    stories,
    records: [],
    witness: readLines<WitnessEvent>(files.witness),
    requests: once(readLines<Request>(files.requests)),
    snapshots: [],
    crashes,
    strays: [],
    replays: [],
    openApprovals: [],
    rows: [],
    policies: POLICIES,
    codes: {},
    ...SOONER_OR_LATER,
  };
}

/** In the order in which they were started. */
async function readStories(store: Store, afterRowId: number): Promise<readonly Story[]> {
  const stories: Story[] = [];
  for await (const runs of pagesOf(store, afterRowId)) {
    const left = [...runs];
    while (left.length > 0) {
      const read = left.splice(0, SIDE_BY_SIDE).map(async (run) => ({
        run,
        history: await store.listHistory(run.rowId),
        memory: await store.loadMemory(run.rowId),
      }));
      stories.push(...(await Promise.all(read)));
    }
  }
  return stories.toReversed();
}

/** Whether any run after that one has not come to its end. */
export async function hasOpenRuns(store: Store, afterRowId: number): Promise<boolean> {
  for await (const runs of pagesOf(store, afterRowId)) if (runs.some(({ state }) => !isTerminal(state))) return true;
  return false;
}

/** Newest first. */
async function* pagesOf(store: Store, afterRowId: number): AsyncGenerator<readonly Run[]> {
  let beforeRowId: number | null = null;
  do {
    const place: object = beforeRowId === null ? {} : { beforeRowId };
    const page = await store.listRuns({ limit: PAGE, ...place });
    yield page.runs.filter((run) => run.rowId > afterRowId);
    beforeRowId = (page.beforeRowId ?? 0) > afterRowId ? page.beforeRowId : null;
  } while (beforeRowId !== null);
}

/** A start asks for everything again: one request, however often it was acknowledged. */
function once(requests: readonly Request[]): Request[] {
  const seen = new Set<string>();
  return requests.filter((request) => {
    if (request.kind !== "signal") return true;
    const name = `${request.run} ${request.operation}`;
    return seen.size !== seen.add(name).size;
  });
}

/** A line is one write, so that a kill leaves it out or leaves it whole. */
export function readLines<T>(path: string): T[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, "utf8").split("\n");
  return lines.slice(0, -1).map((line) => JSON.parse(line) as T);
}
