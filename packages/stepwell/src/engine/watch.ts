/**
 * Watchers: those who wait for a run to end. A run that ends in this process tells
 * them at once. One that leaves it, parked or lost, may end elsewhere: they are told
 * so, and have the store asked from then on.
 */
import type { Ending } from "../model/transition.ts";

/**
 * `ended`, or `failed` when that cannot be found out, is called once and is the last call; `left` whenever the run is
 * no longer executed here.
 */
export type Watcher = {
  readonly ended: (ending: Ending) => void;
  readonly failed: (error: unknown) => void;
  readonly left: () => void;
};

/** Watchers by run. */
export type Watchers = {
  readonly watch: (rowId: number, watcher: Watcher) => void;
  readonly awaited: (rowId: number) => boolean;
  readonly tellEnded: (rowId: number, ending: Ending) => void;
  readonly tellFailed: (rowId: number, error: unknown) => void;
  readonly tellLeft: (rowId: number) => void;
};

/** No watchers yet. */
export function openWatchers(): Watchers {
  const byRun = new Map<number, Watcher[]>();
  const take = (rowId: number): readonly Watcher[] => {
    const watchers = byRun.get(rowId) ?? [];
    byRun.delete(rowId);
    return watchers;
  };
  return {
    watch: (rowId, watcher) => {
      const watchers = byRun.get(rowId);
      if (watchers === undefined) byRun.set(rowId, [watcher]);
      else watchers.push(watcher);
    },
    awaited: (rowId) => byRun.has(rowId),
    tellEnded: (rowId, ending) => {
      for (const watcher of take(rowId)) watcher.ended(ending);
    },
    tellFailed: (rowId, error) => {
      for (const watcher of take(rowId)) watcher.failed(error);
    },
    tellLeft: (rowId) => {
      for (const watcher of byRun.get(rowId) ?? []) watcher.left();
    },
  };
}
