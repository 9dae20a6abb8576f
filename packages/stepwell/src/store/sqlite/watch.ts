/**
 * Watch: noticing that others have committed (S8).
 *
 * SQLite tells nobody, but `PRAGMA data_version` of a connection changes with every commit that is not its own
 * (3 us a look, measured). It is asked every 20 ms while somebody watches, and never otherwise.
 */
import type { Pace } from "../pace.ts";
import type { Change, Store } from "../store.ts";
import { type Connection, dropConnection, type Session } from "./connection.ts";
import { primaryCode, SQLITE } from "./faults.ts";
import type { Turn } from "./turn.ts";

/** The port's `watch`, and its end. */
export type Watch = Pick<Store, "watch"> & { readonly stop: () => void };

const LOOK_MS = 20;

/** What has changed is not told. */
const SOMETHING: Change = { due: true, inbox: true, ended: true, workers: true };

/** What a connection said. The numbers of two connections have nothing to do with each other. */
type Seen = { readonly connection: Connection; readonly version: unknown };

type State = {
  readonly session: Session;
  readonly pace: Pace;
  readonly turn: Turn;
  readonly listeners: Set<{ readonly onChange: (change: Change) => void }>;
  seen: Seen | null;
  cancel: () => void;
};

/** @param pace null: nobody is ever told. A database in memory has no others. */
export function openWatch(session: Session, pace: Pace | null, turn: Turn): Watch {
  if (pace === null || session.path === ":memory:") return { watch: () => () => {}, stop: () => {} };
  const state: State = { session, pace, turn, listeners: new Set(), seen: null, cancel: () => {} };
  return {
    watch: (onChange) => {
      if (session.closed) return () => {};
      const listener = { onChange };
      if (state.listeners.size === 0) begin(state);
      state.listeners.add(listener);
      return () => {
        if (state.listeners.delete(listener) && state.listeners.size === 0) state.cancel();
      };
    },
    stop: () => {
      state.listeners.clear();
      state.cancel();
    },
  };
}

function begin(state: State): void {
  state.seen = look(state.session);
  plan(state);
}

function plan(state: State): void {
  state.cancel = state.pace.timer(LOOK_MS, () => {
    plan(state);
    if (!hasChanged(state)) return;
    state.turn.meetOthers();
    for (const { onChange } of [...state.listeners]) onChange(SOMETHING);
  });
}

/** A connection that was opened meanwhile may have missed something. */
function hasChanged(state: State): boolean {
  const { seen } = state;
  const found = look(state.session);
  if (found === null) return false;
  state.seen = found;
  return seen === null || found.connection !== seen.connection || found.version !== seen.version;
}

/** Null: there is nothing to see just now. Whoever needs the file next is told what is wrong with it. */
function look(session: Session): Seen | null {
  const { connection } = session;
  try {
    return connection && { connection, version: connection.sql.readDataVersion.get()?.["data_version"] };
  } catch (error) {
    // Each further look could block for the ten seconds that SQLite tries before it says "locking protocol".
    if (primaryCode(error) === SQLITE.protocol) dropConnection(session);
    return null;
  }
}
