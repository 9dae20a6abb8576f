/**
 * Faulty store: one real store as many simulated processes see it, with the weather
 * of the seed in between, and a record of everything that the store really did.
 *
 * Per call: a delay before and after; a definite failure (nothing applied); an unknown
 * outcome (applied, not applied, or applied later, when the caller has already been
 * told so). A caller that crashes meanwhile never hears the answer. Those who watch hear of
 * others' commits late, and of some not at all.
 *
 *   embedded: as SQLite in the process. The call takes effect at once, under the caller's clock.
 *   remote:   as a database server. It takes effect after a delay, in any order, under the
 *             server's clock; what a dead caller had sent may still arrive. Takes two flushes at once.
 */
import type { Dice } from "../../model/dice.ts";
import { isSuspect } from "../../model/run.ts";
import type { Change, Claim, NextDue, NowMs, Store } from "../../store/store.ts";
import type { StoreRecord } from "./evidence.ts";
import {
  type Access,
  chooseFate,
  definite,
  delayMs,
  type Disk,
  keep,
  type Line,
  type Note,
  tellWatching,
  unknown,
  type Watching,
} from "./faulty-line.ts";
import { sendTx } from "./faulty-tx.ts";
import type { Process } from "./kernel.ts";

/** The store as `caller` sees it. @param hostMs the caller's clock, by which an embedded store goes */
export function openFaultyStore(disk: Disk, caller: Process, dice: Dice, hostMs: () => number): Store {
  const { store } = disk;
  const line: Line = {
    disk,
    caller,
    dice,
    watchDice: dice.split("watch"),
    lateUntilMs: 0,
    inDoubt: false,
    doubtful: [],
  };
  const clock = (nowMs: NowMs): number => (disk.remote ? disk.nowMs() : (nowMs ?? hostMs()));
  const read = <T>(apply: () => Promise<T>): Promise<T> => send(line, "read", apply);
  const write = <T>(apply: () => Promise<T>, note: Note<T>): Promise<T> => send(line, "write", apply, note);
  return {
    kind: store.kind,
    warnings: store.warnings,
    secondFlush: disk.remote ? { writesMin: 1, writesMax: 3 } : store.secondFlush,
    pollMs: store.pollMs,
    ensureVersion: (identity) => send(line, "write", () => store.ensureVersion(identity)),
    listVersions: () => read(() => store.listVersions()),
    flush: (writes, nowMs) =>
      send(
        line,
        "flush",
        () => store.flush(writes, clock(nowMs)),
        (results) => ({ kind: "flush", writes, results }),
      ),
    transact: (terms, work) => sendTx(line, { terms, clock: () => clock(terms.nowMs) }, work),
    claimRuns: (by) =>
      write(
        () => claimAgain(line, by, (limit) => store.claimRuns({ ...by, limit, nowMs: clock(by.nowMs) })),
        (claims) => ({ kind: "claim", workerId: by.workerId, claims }),
      ),
    resumePaused: (versionIds, nowMs) => send(line, "write", () => store.resumePaused(versionIds, clock(nowMs))),
    listOldestDue: (nowMs) => read(() => store.listOldestDue(clock(nowMs))),
    nextDue: (versionIds, nowMs) => read(async () => nextDue(line, await store.nextDue(versionIds, clock(nowMs)))),
    loadMemory: (rowId) =>
      send(
        line,
        "read",
        () => store.loadMemory(rowId),
        (memory) => ({ kind: "memory", rowId, memory }),
      ),
    listHeldRuns: (workerId) => read(() => store.listHeldRuns(workerId)),
    listInbox: (rowId, afterSeq) => read(() => store.listInbox(rowId, afterSeq)),
    reopenRuns: (runs, nowMs) =>
      write(
        () => store.reopenRuns(runs, clock(nowMs)),
        (reopened) => ({ kind: "reopen", runs, reopened }),
      ),
    insertForked: (run, past, nowMs) => send(line, "write", () => store.insertForked(run, past, clock(nowMs))),
    listChildren: (rowId) => read(() => store.listChildren(rowId)),
    addRemark: (rowId, remark, nowMs) => send(line, "write", () => store.addRemark(rowId, remark, clock(nowMs))),
    listRemarks: (rowIds) => read(() => store.listRemarks(rowIds)),
    findRun: (ref) => read(() => store.findRun(ref)),
    updateApproval: (owner, approval) => send(line, "write", () => store.updateApproval(owner, approval)),
    findApproval: (ref, key) => read(() => store.findApproval(ref, key)),
    listApprovals: (filter) => read(() => store.listApprovals(filter)),
    listEnded: (rowIds) => read(() => store.listEnded(rowIds)),
    listRuns: (filter) => read(() => store.listRuns(filter)),
    listHistory: (rowId) => read(() => store.listHistory(rowId)),
    listActiveSteps: (rowId) => read(() => store.listActiveSteps(rowId)),
    ...registryCalls(line, clock),
    ...breakerCalls(line, clock),
    watch: (onChange) => watch(line, onChange),
    close: () => Promise.resolve(),
  };
}

function registryCalls(
  line: Line,
  clock: (nowMs: NowMs) => number,
): Pick<Store, "registerWorker" | "renewWorker" | "listWorkers" | "buryWorker" | "releaseRuns" | "retireWorker"> {
  const { store } = line.disk;
  // The clock at the moment of application, for the record.
  let appliedMs = 0;
  const stamped = (nowMs: NowMs): number => (appliedMs = clock(nowMs));
  return {
    registerWorker: (worker, offer, nowMs) =>
      send(
        line,
        "write",
        () => store.registerWorker(worker, offer, stamped(nowMs)),
        (workerId) => ({
          kind: "register",
          workerId,
          worker,
          leaseUntilMs: appliedMs + offer.leaseMs,
        }),
      ),
    renewWorker: (workerId, standing, nowMs) =>
      send(
        line,
        "write",
        () => store.renewWorker(workerId, standing, stamped(nowMs)),
        (renewal) => ({
          kind: "renew",
          workerId,
          renewed: renewal.alive,
          leaseUntilMs: appliedMs + standing.leaseMs,
        }),
      ),
    listWorkers: (nowMs) => send(line, "read", () => store.listWorkers(clock(nowMs))),
    buryWorker: (workerId, gone, nowMs) =>
      send(
        line,
        "write",
        () => store.buryWorker(workerId, gone, stamped(nowMs)),
        (buried) => ({
          kind: "bury",
          workerId,
          gone,
          buried,
          nowMs: appliedMs,
        }),
      ),
    releaseRuns: (workerId, how, nowMs) =>
      send(
        line,
        "write",
        () => store.releaseRuns(workerId, how, stamped(nowMs)),
        ({ freed, quarantined }) => ({ kind: "free", workerId, how, freed, quarantined }),
      ),
    retireWorker: (workerId) =>
      send(
        line,
        "write",
        () => store.retireWorker(workerId),
        () => ({ kind: "retire", workerId }),
      ),
  };
}

function breakerCalls(
  line: Line,
  clock: (nowMs: NowMs) => number,
): Pick<Store, "findBreaker" | "saveBreaker" | "listBreakers"> {
  const { store } = line.disk;
  return {
    findBreaker: (name, owner, nowMs) =>
      send(
        line,
        "read",
        () => store.findBreaker(name, owner, clock(nowMs)),
        (look) => ({ kind: "look", name, owner, look }),
      ),
    saveBreaker: (breaker, owner) =>
      send(
        line,
        "write",
        () => store.saveBreaker(breaker, owner),
        (saved) => ({ kind: "breaker", breaker, owner, saved }),
      ),
    listBreakers: (page, nowMs) => send(line, "read", () => store.listBreakers(page, clock(nowMs))),
  };
}

/** One call: through the weather to the store, and back. Settles in a task of the caller, or never. */
function send<T>(line: Line, access: Access, apply: () => Promise<T>, note?: Note<T>): Promise<T> {
  const { disk, caller, dice } = line;
  const weather = disk.weather();
  const fate = chooseFate(dice, weather, access, disk.remote);
  const thereMs = disk.remote ? delayMs(dice, weather) + Math.max(0, line.lateUntilMs - disk.trueMs()) : 0;
  const backMs = delayMs(dice, weather);
  const arrives = dice.chance(0.5);
  return new Promise((resolve, reject) => {
    const answer = (settle: () => void): void => void caller.timer(backMs, settle);
    // A transaction that is open has the whole database: what comes meanwhile takes place later, each in a task of its own.
    const carryOut = async (told: "told" | "untold"): Promise<void> => {
      if (!caller.isAlive() && !arrives) return;
      if (disk.openTxs.size > 0) return void disk.process.timer(1, () => void carryOut(told));
      try {
        const result = await apply();
        if (access !== "read") tellWatching(disk, caller);
        const record = keep(line, note?.(result));
        if (told === "untold") return remember(line, record);
        answer(() => {
          if (record !== null) record.knownAt = disk.tick();
          if (access === "flush") line.inDoubt = false;
          resolve(result);
        });
      } catch (error) {
        if (told === "told") answer(() => reject(error));
      }
    };
    const reach = (ms: number, task: () => void): void => (disk.remote ? void disk.process.timer(ms, task) : task());
    if (fate === "failed" && !(access === "flush" && line.inDoubt)) return answer(() => reject(definite(dice, access)));
    if (fate === "answered") return reach(thereMs, () => void carryOut("told"));
    if (access === "flush") line.inDoubt = true;
    answer(() => reject(unknown()));
    if (fate === "unknown") return reach(thereMs, () => void carryOut("untold"));
    if (fate === "lost" || fate === "failed") return;
    const lateMs = thereMs + backMs + dice.integer(200);
    line.lateUntilMs = Math.max(line.lateUntilMs, disk.trueMs() + lateMs + 1);
    reach(lateMs, () => void carryOut("untold"));
  });
}

/** S8 at its worst: some commits go unnoticed, and what is noticed may be long past. */
function watch(line: Line, onChange: (change: Change) => void): () => void {
  const { disk, caller, watchDice: dice } = line;
  let told = false;
  const changed = (): void => {
    if (told || dice.chance(UNNOTICED)) return;
    told = true;
    caller.timer(dice.integer(NOTICE_MS_MAX), () => {
      told = false;
      if (disk.watching.has(watching)) onChange(SOMETHING);
    });
  };
  const watching: Watching = { caller, changed };
  disk.watching.add(watching);
  return () => void disk.watching.delete(watching);
}

/** What exactly, nobody says. */
const SOMETHING: Change = { due: true, inbox: true, ended: true, workers: true };

const UNNOTICED = 0.2;
const NOTICE_MS_MAX = 120;

/**
 * What every adapter owes: a claim whose answer was lost is given again to the worker that made it, as long as it is held,
 * and within the limit.
 */
async function claimAgain(
  line: Line,
  { workerId, suspects, limit }: { readonly workerId: number; readonly suspects: boolean; readonly limit: number },
  claim: (limit: number) => Promise<readonly Claim[]>,
): Promise<readonly Claim[]> {
  const asked = suspects ? Math.min(limit, 1) : limit;
  const settled = new Set<Claim>();
  const held: Claim[] = [];
  for (const one of line.doubtful.filter(({ run }) => isSuspect(run) === suspects)) {
    if (held.length >= asked) break;
    settled.add(one);
    const run = await line.disk.store.findRun(one.run);
    if (run?.fence === one.run.fence && run.workerId === workerId) held.push({ ...one, run });
  }
  const claims = held.length >= asked ? [] : await claim(asked - held.length);
  line.doubtful = line.doubtful.filter((one) => !settled.has(one));
  return [...held, ...claims];
}

/** And what may have been claimed is due: only a claim of its kind tells. */
function nextDue({ doubtful }: Line, next: NextDue): NextDue {
  const has = (suspect: boolean): boolean => doubtful.some((claim) => isSuspect(claim.run) === suspect);
  return { ...next, runInMs: has(false) ? 0 : next.runInMs, suspectInMs: has(true) ? 0 : next.suspectInMs };
}

function remember(line: Line, record: StoreRecord | null): void {
  if (record?.kind === "claim") line.doubtful = [...line.doubtful, ...record.claims];
}
