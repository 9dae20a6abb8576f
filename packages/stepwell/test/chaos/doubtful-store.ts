/**
 * Doubtful store: a PostgreSQL behind a line that breaks at any statement, and a caller who asks again until he knows.
 *
 * It is to answer as a store does that is asked once: so it can be compared with one, operation by operation. Where a
 * repetition may be answered otherwise than the first time, by what the port says, this says what the first answer was; it
 * knows by a line of its own that never breaks.
 */
import { openHost } from "../../src/engine/host.ts";
import type { Dice } from "../../src/model/dice.ts";
import type { Run } from "../../src/model/run.ts";
import { openPostgresStore } from "../../src/store/postgres/postgres.ts";
import type { NowMs, Released, Store } from "../../src/store/store.ts";
import type { RunRef, Write, WriteResult } from "../../src/store/write.ts";
import { type Fate, PASS, type Proxy, type Strike } from "./proxy.ts";

/** How the line breaks. */
export type Bad = {
  readonly proxy: Proxy;
  readonly dice: Dice;
  /** How likely an operation is to be struck. */
  readonly chance: number;
  /** What may happen to a statement. */
  readonly fates: readonly Fate[];
  /** Strikes so far: by operation, of a flush by what it writes as well, and by what happened. */
  readonly tally: Map<string, number>;
};

type State = {
  readonly bad: Bad;
  readonly direct: Store;
  /** Requests that the server has yet to get. */
  late: Strike[];
  struck: number;
  /** A change was carried out, and its answer lost, since the last call was made. */
  changed: boolean;
};

/** The calls that change something. */
type Call = "flush" | "claimRuns" | "resumePaused" | "ensureVersion" | WorkerCall | "open";
type WorkerCall = "registerWorker" | "renewWorker" | "buryWorker" | "releaseRuns" | "retireWorker";

/** Writes that have no order of their own: one that arrives late undoes what came after it. */
const OVERWRITING: readonly Write["kind"][] = ["progress", "attributes", "beat"];

/** What the store says while its line is broken. */
const PASSING: readonly unknown[] = ["STORE_OUTCOME_UNKNOWN", "STORE_UNREACHABLE"];

const CHANGING = /\b(INSERT|UPDATE|DELETE)\b/;

/** Statements of an operation from which the one to strike is drawn. */
const STATEMENTS_MAX = 3;

/**
 * Open one: through the proxy as soon as that lets it.
 *
 * @param url the database, straight
 */
export async function openDoubtfulStore(url: string, bad: Bad): Promise<Store> {
  const direct = await openPostgresStore(url, { pace: openHost() });
  const state: State = { bad, direct, late: [], struck: 0, changed: false };
  bad.proxy.onStrike((strike) => {
    state.struck += 1;
    state.changed ||= strike.committed && CHANGING.test(strike.text);
    if (strike.fate.kind === "late") state.late.push(strike);
  });
  const through = new URL(bad.proxy.url);
  through.pathname = new URL(url).pathname;
  const ask = (): Promise<Store> => openPostgresStore(through.href, { pace: openHost() });
  const store = await insist(state, { call: "open", late: false, ask });
  return {
    ...store,
    ...ofRuns(state, store),
    ...ofWorkers(state, store),
    close: async () => {
      await deliverLate(state);
      bad.proxy.decide(() => PASS);
      await Promise.all([store.close(), direct.close()]);
    },
  };
}

function ofRuns(state: State, store: Store): Pick<Store, "flush" | "claimRuns" | "resumePaused" | "ensureVersion"> {
  const { direct } = state;
  return {
    ensureVersion: (identity) => insist(state, { call: "ensureVersion", ask: () => store.ensureVersion(identity) }),
    flush: (writes, nowMs) => {
      if (hasTwoTurns(writes)) return store.flush(writes, nowMs);
      return insist(state, {
        call: "flush",
        writes: kindsOf(writes),
        late: !writes.some(({ kind }) => OVERWRITING.includes(kind)),
        ask: () => store.flush(writes, nowMs),
        look: () => whichExist(direct, writes),
        retell: async (results, known) =>
          results.map((one, index) => firstAnswer(writes[index]!, one, known.has(index))),
      });
    },
    claimRuns: (by) =>
      insist(state, {
        call: "claimRuns",
        ask: () => store.claimRuns(by),
        look: () => listDue(direct),
        retell: async (claims, due) => claims.toSorted((a, b) => due.indexOf(a.run.rowId) - due.indexOf(b.run.rowId)),
      }),
    resumePaused: (versionIds, nowMs) =>
      insist(state, {
        call: "resumePaused",
        ask: () => store.resumePaused(versionIds, nowMs),
        look: () => countPaused(direct, versionIds),
        retell: async (_, before) => before - (await countPaused(direct, versionIds)),
      }),
  };
}

function ofWorkers(state: State, store: Store): Pick<Store, WorkerCall> {
  const { direct } = state;
  const known = new Set<number>();
  return {
    registerWorker: async (process, offer, nowMs) => {
      const ask = (): Promise<number> => store.registerWorker(process, offer, nowMs);
      known.add(await insist(state, { call: "registerWorker", ask }));
      await deliverLate(state);
      await forgetStrangers(direct, known, nowMs);
      return [...known].at(-1)!;
    },
    renewWorker: (workerId, standing, nowMs) =>
      insist(state, { call: "renewWorker", late: false, ask: () => store.renewWorker(workerId, standing, nowMs) }),
    buryWorker: (workerId, gone, nowMs) =>
      insist(state, { call: "buryWorker", ask: () => store.buryWorker(workerId, gone, nowMs) }),
    releaseRuns: (workerId, how, nowMs) =>
      insist(state, {
        call: "releaseRuns",
        ask: () => store.releaseRuns(workerId, how, nowMs),
        look: async () => (await direct.listHeldRuns(workerId)).map(({ rowId }) => rowId),
        retell: (_, held) => whatWasFreed(direct, held),
      }),
    retireWorker: (workerId) => insist(state, { call: "retireWorker", ask: () => store.retireWorker(workerId) }),
  };
}

/** A worker that was entered, and nobody was told: it would lapse, and is not there for those who compare. */
async function forgetStrangers(direct: Store, known: ReadonlySet<number>, nowMs: NowMs): Promise<void> {
  for (const { workerId } of await direct.listWorkers(nowMs)) {
    if (known.has(workerId)) continue;
    await direct.buryWorker(workerId, true, nowMs);
    await direct.retireWorker(workerId);
  }
}

/** An operation. `look` sees what `retell` needs, to tell from a later answer what the first one was. */
type Question<Answer, Seen> = {
  readonly call: Call;
  /** Of a flush. */
  readonly writes?: readonly string[];
  /** False: it may not arrive late. */
  readonly late?: boolean;
  readonly ask: () => Promise<Answer>;
  readonly look?: () => Promise<Seen>;
  readonly retell?: (later: Answer, seen: Seen) => Promise<Answer>;
};

/** Ask until it is answered. */
async function insist<Answer, Seen = undefined>(state: State, question: Question<Answer, Seen>): Promise<Answer> {
  const { call, writes = [], late = true, ask, look, retell } = question;
  const { proxy, dice, chance } = state.bad;
  if (dice.chance(0.5)) await deliverLate(state);
  if (!dice.chance(chance)) return ask();
  const seen = await look?.();
  lieInWait(state, [call, ...writes], late);
  try {
    for (let again = false; ; again = true) {
      try {
        state.changed = false;
        const answer = await ask();
        return again && retell !== undefined ? await retell(answer, seen!) : answer;
      } catch (error) {
        const { code } = error as { readonly code?: unknown };
        if (!PASSING.includes(code)) throw error;
        // P1: that is not known, and not denied.
        if (state.changed && code === "STORE_UNREACHABLE" && call !== "open") throw error;
      }
    }
  } finally {
    proxy.decide(() => PASS);
  }
}

/** What a flush writes: transitions by their own kinds. */
function kindsOf(writes: readonly Write[]): readonly string[] {
  return [...new Set(writes.map((write) => (write.kind === "transition" ? write.transition.kind : write.kind)))];
}

/** Strike some of the next statements. */
function lieInWait(state: State, names: readonly string[], mayBeLate: boolean): void {
  const { proxy, dice, tally } = state.bad;
  const fates = state.bad.fates.filter(({ kind }) => kind !== "late" || mayBeLate);
  const wanted = 1 + dice.integer(2);
  const struckBefore = state.struck;
  let [at, seen] = [1 + dice.integer(STATEMENTS_MAX), 0];
  proxy.decide(() => {
    seen += 1;
    if (state.struck - struckBefore >= wanted || seen < at) return PASS;
    [at, seen] = [1 + dice.integer(STATEMENTS_MAX), 0];
    const fate = dice.pick(fates);
    for (const name of [...names, nameOf(fate)]) tally.set(name, (tally.get(name) ?? 0) + 1);
    return fate;
  });
}

/** What happened, in words. */
function nameOf(fate: Fate): string {
  if (fate.kind === "pass") return "delay";
  return fate.kind === "late" ? "late" : `${fate.kind} ${fate.when}`;
}

async function deliverLate(state: State): Promise<void> {
  for (const strike of state.late.splice(0)) await strike.deliver();
}

/** A run makes one transition in a flush at most: the answers to two of them say nothing about each other. */
function hasTwoTurns(writes: readonly Write[]): boolean {
  const turned = writes.flatMap((write) => (write.kind === "transition" ? [write.owner.rowId] : []));
  return new Set(turned).size < turned.length;
}

/** The places of inserts whose run is there already, or comes earlier in the flush. */
async function whichExist(direct: Store, writes: readonly Write[]): Promise<ReadonlySet<number>> {
  const exist = new Set<number>();
  const inserted = new Set<string>();
  const versions = await direct.listVersions();
  for (const [index, write] of writes.entries()) {
    if (write.kind !== "insert_run") continue;
    const version = versions.find(({ versionId }) => versionId === write.run.versionId);
    if (version === undefined) continue;
    const ref: RunRef = { namespace: version.namespace, name: version.name, id: write.run.id };
    const name = JSON.stringify(ref);
    if (inserted.has(name) || (await direct.findRun(ref)) !== null) exist.add(index);
    inserted.add(name);
  }
  return exist;
}

/** A run that was inserted by the first submission exists for the second. */
function firstAnswer(write: Write, result: WriteResult, existed: boolean): WriteResult {
  if (write.kind !== "insert_run" || result.kind !== "exists" || existed) return result;
  const { run } = result;
  const claimed = write.claimFor !== null && run.workerId === write.claimFor && run.fence === 1;
  return { kind: "inserted", atMs: run.createdAtMs, rowId: run.rowId, claimed };
}

async function allRuns(direct: Store): Promise<readonly Run[]> {
  const runs: Run[] = [];
  let beforeRowId: number | null = null;
  do {
    const place: object = beforeRowId === null ? {} : { beforeRowId };
    const page = await direct.listRuns({ limit: 1_000, ...place });
    runs.push(...page.runs);
    ({ beforeRowId } = page);
  } while (beforeRowId !== null);
  return runs;
}

/** Oldest due first. */
async function listDue(direct: Store): Promise<readonly number[]> {
  const due = (await allRuns(direct)).filter((run) => run.dueAtMs !== null);
  return due.sort((a, b) => a.dueAtMs! - b.dueAtMs! || a.rowId - b.rowId).map((run) => run.rowId);
}

async function countPaused(direct: Store, versionIds: readonly number[]): Promise<number> {
  const runs = await allRuns(direct);
  const versions = await direct.listVersions();
  const wanted = versions.filter(({ versionId }) => versionIds.includes(versionId));
  return runs.filter((run) => run.state === "paused" && wanted.some((version) => isOf(run, version))).length;
}

function isOf(
  run: Run,
  version: { readonly namespace: string; readonly name: string; readonly version: string },
): boolean {
  return run.namespace === version.namespace && run.name === version.name && run.version === version.version;
}

/** Of runs that a dead worker held: those that are set aside now, and how many are not. */
async function whatWasFreed(direct: Store, held: readonly number[]): Promise<Released> {
  const freed = (await allRuns(direct)).filter((run) => held.includes(run.rowId) && run.workerId === null);
  const quarantined = freed.filter((run) => run.state === "quarantined");
  return { freed: freed.length - quarantined.length, quarantined };
}
