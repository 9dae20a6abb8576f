/**
 * Verdicts: runs executed here tell that they have judged a decision, and those in this process who wait for that look
 * again.
 */
import type { Host } from "./host.ts";

/** Somebody who waits for what a run says. */
export type Ear = {
  /** Resolves when the run has spoken since the last time, or after the pause. */
  readonly heard: (pauseMs: number, host: Host) => Promise<void>;
  readonly close: () => void;
};

/** Who waits, by run. */
export type Verdicts = {
  readonly listen: (rowId: number) => Ear;
  readonly tell: (rowId: number) => void;
};

/** Nobody waits yet. */
export function openVerdicts(): Verdicts {
  const byRun = new Map<number, Set<() => void>>();
  return {
    listen: (rowId) => {
      let spoken = false;
      let wake = (): void => {};
      const listener = (): void => {
        spoken = true;
        wake();
      };
      const listeners = byRun.get(rowId) ?? new Set<() => void>();
      byRun.set(rowId, listeners.add(listener));
      return {
        heard: async (pauseMs, host) => {
          if (!spoken) await pause(host, pauseMs, (early) => (wake = early));
          spoken = false;
        },
        close: () => {
          listeners.delete(listener);
          if (listeners.size === 0) byRun.delete(rowId);
        },
      };
    },
    tell: (rowId) => {
      for (const listener of byRun.get(rowId) ?? []) listener();
    },
  };
}

function pause(host: Host, ms: number, begun: (early: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    const cancel = host.timer(ms, resolve);
    begun(() => {
      cancel();
      resolve();
    });
  });
}
