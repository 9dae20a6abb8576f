/**
 * Watchers: those who wait for a run to end. A run that ends in this process tells
 * them at once; for all others `awaitEnd` asks the store, ever less often.
 */
import type { TerminalState } from "../model/run.ts";

/** How a run ended; `value` is the encoded output or the stored Failure. */
export type Ending = { readonly state: TerminalState; readonly value: string };

/** Callbacks by run. */
export type Watchers = {
  /** Call `ended` once; the result withdraws it. */
  readonly watch: (rowId: number, ended: (ending: Ending) => void) => () => void;
  readonly tell: (rowId: number, ending: Ending) => void;
};

/** No watchers yet. */
export function openWatchers(): Watchers {
  const byRun = new Map<number, Set<(ending: Ending) => void>>();
  return {
    watch: (rowId, ended) => {
      const set = byRun.get(rowId) ?? new Set();
      set.add(ended);
      byRun.set(rowId, set);
      return () => {
        if (set.delete(ended) && set.size === 0) byRun.delete(rowId);
      };
    },
    tell: (rowId, ending) => {
      const set = byRun.get(rowId);
      if (set === undefined) return;
      byRun.delete(rowId);
      for (const ended of set) ended(ending);
    },
  };
}
