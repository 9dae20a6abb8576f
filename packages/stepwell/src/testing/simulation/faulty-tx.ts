/**
 * Faulty tx: a transaction of the user's as a simulated process sees it. Its beginning, each of its statements and its
 * commit travel through the weather of their own; what its process does not bring to an end is taken back.
 *
 *   embedded: a process that crashes lets go of the file at once; one that stalls holds it for as long.
 *   remote:   the server ends what takes longer than agreed, and notices a dead process after a while. A commit that was
 *             sent may arrive late, when the caller has been told that nobody knows: until then it holds what it has locked.
 */
import type { Store } from "../../store/store.ts";
import type { TxAnswer, TxDoor, TxTerms, TxVerdict } from "../../store/tx.ts";
import type { Write, WriteResult } from "../../store/write.ts";
import {
  chooseFate,
  definite,
  delayMs,
  type Fate,
  keep,
  type Line,
  type OpenTx,
  tellWatching,
  unknown,
} from "./faulty-line.ts";

type Work = Parameters<Store["transact"]>[1];

/** By how much a server's patience is longer than the limit that it was told. */
const SPARE_MS = 500;

/** How often it is looked whether the process lives. */
const LOOK_MS = 20;

/** `clock`: the moment by which the store goes, as it is then. */
type Sent = { readonly terms: TxTerms; readonly clock: () => number };

/** See Store.transact. Settles in a task of the caller, or never. */
export function sendTx(line: Line, { terms, clock }: Sent, work: Work): Promise<TxAnswer> {
  const { disk, caller, dice } = line;
  const weather = disk.weather();
  const fate = chooseFate(dice, weather, "write", disk.remote);
  const thereMs = disk.remote ? delayMs(dice, weather) : 0;
  const backMs = delayMs(dice, weather);
  return new Promise((resolve, reject) => {
    const answer = (settle: () => void): void => void caller.timer(backMs, settle);
    if (fate === "failed") return answer(() => reject(definite(dice, "write")));
    const begin = (): void => {
      if (!caller.isAlive()) return;
      if (disk.openTxs.size > 0) return void disk.process.timer(1, begin);
      const timed = { ...terms, nowMs: clock() };
      const call: TxCall = {
        line,
        terms: timed,
        fate,
        entries: [],
        doubt: () => answer(() => reject(unknown())),
        told: false,
        givenUp: false,
      };
      void carryOut(call, work).then((result) => {
        if (call.givenUp) answer(() => reject(definite(dice, "write")));
        else if (!call.told) answer(() => resolve(known(call, result)));
      }, reject);
    };
    if (disk.remote) disk.process.timer(thereMs, begin);
    else begin();
  });
}

type TxCall = {
  readonly line: Line;
  readonly terms: TxTerms;
  readonly fate: Fate;
  /** What it stores beside the user's rows. */
  readonly entries: { readonly write: Write; readonly result: WriteResult }[];
  /** Tells the caller that nobody knows. */
  readonly doubt: () => void;
  told: boolean;
  /** The server has lost patience. */
  givenUp: boolean;
  record?: { knownAt: number | null } | null;
};

function known(call: TxCall, answer: TxAnswer): TxAnswer {
  if (call.record) call.record.knownAt = call.line.disk.tick();
  return answer;
}

async function carryOut(call: TxCall, work: Work): Promise<TxAnswer> {
  const { disk, caller } = call.line;
  // Held from before its beginning until its end is known, so that nothing comes in between.
  const open: OpenTx = { takeBack: () => {} };
  disk.openTxs.add(open);
  const answer = await disk.store.transact(call.terms, (door) => judged(call, { door, open }, work));
  disk.openTxs.delete(open);
  if (answer.kind !== "committed") return answer;
  tellWatching(disk, caller);
  const [writes, results] = [call.entries.map(({ write }) => write), call.entries.map(({ result }) => result)];
  if (writes.length > 0) call.record = keep(call.line, { kind: "flush", writes, results });
  return answer;
}

/** The caller's verdict as it reaches the store, or what the store makes of a silent caller. */
function judged(
  call: TxCall,
  { door, open }: { readonly door: TxDoor; readonly open: OpenTx },
  work: Work,
): Promise<TxVerdict> {
  const { line, terms, entries } = call;
  const { disk, caller, dice } = line;
  return new Promise((resolve) => {
    const begunMs = disk.trueMs();
    let sent = false;
    const takeBack = (): void => resolve({ commit: false });
    open.takeBack = takeBack;
    const look = (): void => {
      const late = disk.remote && disk.trueMs() - begunMs > terms.limitMs + SPARE_MS;
      if (sent || (caller.isAlive() && !late)) return sent ? undefined : void disk.process.timer(LOOK_MS, look);
      call.givenUp = true;
      takeBack();
    };
    look();
    const hear = (verdict: TxVerdict): void => {
      sent = true;
      if (!verdict.commit) return resolve(verdict);
      if (verdict.checkpoint !== null) {
        entries.push({ write: verdict.checkpoint, result: { kind: "stored", atMs: terms.nowMs! } });
      }
      arrive(call, verdict, resolve);
    };
    caller.timer(delayMs(dice, disk.weather()), () => void work(doorOf(call, door)).then(hear));
  });
}

/** The commit is on its way. */
function arrive(call: TxCall, verdict: TxVerdict, resolve: (verdict: TxVerdict) => void): void {
  const { line, fate } = call;
  const { disk, dice } = line;
  if (fate !== "answered") {
    call.told = true;
    call.doubt();
  }
  if (fate === "lost") return resolve({ commit: false });
  const lateMs = fate === "late" ? dice.integer(300) : 0;
  if (disk.remote) disk.process.timer(delayMs(dice, disk.weather()) + lateMs, () => resolve(verdict));
  else resolve(verdict);
}

/** Statements take their time, too, and a dead process sends none. */
function doorOf(call: TxCall, door: TxDoor): TxDoor {
  const { disk, caller, dice } = call.line;
  const travel = <T>(send: () => Promise<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      const back = (settle: () => void): void =>
        void caller.timer(disk.remote ? delayMs(dice, disk.weather()) : 0, settle);
      send().then(
        (value) => back(() => resolve(value)),
        (error: unknown) => back(() => reject(error)),
      );
    });
  return {
    query: (sql, params) => travel(() => door.query(sql, params)),
    execute: (sql, params) => travel(() => door.execute(sql, params)),
    insertRun: (write) =>
      travel(async () => {
        const result = await door.insertRun(write);
        call.entries.push({ write, result });
        return result;
      }),
  };
}
