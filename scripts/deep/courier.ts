/**
 * Courier: the process that suffers. A real engine on a real file runs errands; what it has been told for certain (a
 * start, a signal, an end) goes into the file of acknowledgements, and what its steps did into the witness log.
 *
 * Ends with 0 when every run has ended, 4 when something was thrown that has no code of the store, 5 when the storage
 * would not work again in time. A start or a signal that was refused is tried again, as a caller would.
 */
import { fsyncSync, openSync, writeSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { type Engine, openEngineOn } from "../../packages/stepwell/src/engine/engine.ts";
import { openHost } from "../../packages/stepwell/src/engine/host.ts";
import { StepwellError } from "../../packages/stepwell/src/model/errors.ts";
import { openSqliteStore } from "../../packages/stepwell/src/store/sqlite/sqlite.ts";
import { ERRAND, errandId, GO, openErrand } from "./errand.ts";

/** What the process is told, as JSON in its first argument. */
export type CourierOrders = {
  readonly database: string;
  /** Appended to: `start ID`, `signal ID`, `end ID STATE`, and `refused WHAT CODE`. */
  readonly acks: string;
  /** Appended to: one line of JSON per execution of a step, on disk before the step returns. */
  readonly witness: string;
  readonly runs: number;
  /** Errands under way at once. */
  readonly clients: number;
  /** When nothing has been acknowledged for so long, the process gives up; milliseconds. */
  readonly patienceMs: number;
  /** Null: as the library sets it. */
  readonly synchronous: "NORMAL" | null;
};

/** Why the process gave up, as its exit code. */
export const EXIT = { foreign: 4, patience: 5 } as const;

/** Between two tries. */
const PAUSE_MS = 20;

async function deliver(orders: CourierOrders): Promise<void> {
  const tell = watched(orders.patienceMs, openLines(orders.acks, false));
  const witness = openLines(orders.witness, true);
  const errand = openErrand((sight) => witness(JSON.stringify(sight)));
  const patiently = openPatience(tell);
  const host = openHost();
  const engine = await patiently("open", async () => {
    const store = await openSqliteStore(orders.database, { clock: host.nowMs, pace: host, connect: connector(orders) });
    try {
      return await openEngineOn(store, host, { workflows: [errand], log: ({ message }) => tell(`log ${message}`) });
    } catch (error) {
      await store.close();
      throw error;
    }
  });
  let next = 0;
  const client = async (): Promise<void> => {
    while (next < orders.runs) await runErrand(engine, (next += 1), { tell, patiently });
  };
  await Promise.all(Array.from({ length: orders.clients }, client));
  await engine.close();
}

type Patiently = <T>(what: string, work: () => Promise<T>) => Promise<T>;
type Voice = { readonly tell: (line: string) => void; readonly patiently: Patiently };

async function runErrand(engine: Engine, number: number, { tell, patiently }: Voice): Promise<void> {
  const id = errandId(number);
  const handle = await patiently("start", () => engine.start(ERRAND, number, { id }));
  tell(`start ${id}`);
  await patiently("signal", () => handle.signal(GO, `go ${number}`, { id: `go-${number}` }));
  tell(`signal ${id}`);
  const outcome = await patiently("outcome", () => handle.outcome());
  tell(`end ${id} ${outcome.state}`);
}

/** Ends the process when no acknowledgement was told for so long. */
function watched(patienceMs: number, tell: (line: string) => void): (line: string) => void {
  const timer = setTimeout(() => process.exit(EXIT.patience), patienceMs).unref();
  return (line) => {
    if (/^(start|signal|end) /.test(line)) timer.refresh();
    tell(line);
  };
}

/** Tries again what the store refused; ends the process for any other error. */
function openPatience(tell: (line: string) => void): Patiently {
  return async (what, work) => {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        const code = error instanceof StepwellError ? error.code : "";
        tell(`refused ${what} ${code === "" ? String(error) : code}`);
        if (!code.startsWith("STORE_")) {
          console.error(error);
          process.exit(EXIT.foreign);
        }
        await sleep(PAUSE_MS);
      }
    }
  };
}

/** `synchronous` is set once the store has set its own. */
function connector({ synchronous }: CourierOrders): (path: string) => DatabaseSync {
  return (path) => {
    const db = new DatabaseSync(path, { timeout: 1_000, enableForeignKeyConstraints: true });
    if (synchronous === null) return db;
    const exec = db.exec.bind(db);
    db.exec = (sql) => exec(sql.includes("synchronous = FULL") ? `${sql}; PRAGMA synchronous = ${synchronous}` : sql);
    return db;
  };
}

/** One write per line, so that a kill leaves it out or leaves it whole. */
function openLines(path: string, synced: boolean): (line: string) => void {
  const file = openSync(path, "a");
  return (line) => {
    writeSync(file, `${line}\n`);
    if (synced) fsyncSync(file);
  };
}

if (import.meta.main) await deliver(JSON.parse(process.argv[2]!) as CourierOrders);
