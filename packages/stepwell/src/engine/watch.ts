/**
 * Watchers: those who wait for a run to end. A run that ends in this process tells
 * them at once. One that leaves it, parked or lost, may end elsewhere: they are told
 * so, and ask the store from then on.
 */
import type { Ending } from "../model/transition.ts";

/** `ended` is called once and is the last call; `left` whenever the run is no longer executed here. */
export type Watcher = { readonly ended: (ending: Ending) => void; readonly left: () => void };

/** Watchers by run. */
export type Watchers = {
  /** The result withdraws it. */
  readonly watch: (rowId: number, watcher: Watcher) => () => void;
  readonly tellEnded: (rowId: number, ending: Ending) => void;
  readonly tellLeft: (rowId: number) => void;
};

/** No watchers yet. */
export function openWatchers(): Watchers {
  const byRun = new Map<number, Set<Watcher>>();
  return {
    watch: (rowId, watcher) => {
      const set = byRun.get(rowId) ?? new Set();
      set.add(watcher);
      byRun.set(rowId, set);
      return () => {
        if (set.delete(watcher) && set.size === 0) byRun.delete(rowId);
      };
    },
    tellEnded: (rowId, ending) => {
      const set = byRun.get(rowId);
      if (set === undefined) return;
      byRun.delete(rowId);
      for (const watcher of set) watcher.ended(ending);
    },
    tellLeft: (rowId) => {
      for (const watcher of byRun.get(rowId) ?? []) watcher.left();
    },
  };
}
