/**
 * Pacing: how long steps wait between attempts. Production waits seconds, tests milliseconds;
 * how often a step is tried belongs to its handler and is the same in both.
 */

/** Handed to every handler. */
export type Pacing = {
  readonly retry: { readonly base: number | string; readonly max: string };
  /** For what must not be given up: about a day and a half at the default pace. */
  readonly patient: { readonly attempts: number; readonly base: number | string; readonly max: string };
  /** Per attempt. */
  readonly timeout: string;
};

/** Waits begin at `retryBase` and double. */
export function pacingFrom(retryBase: number | string): Pacing {
  return {
    retry: { base: retryBase, max: "10m" },
    patient: { attempts: 45, base: retryBase, max: "1h" },
    timeout: "30s",
  };
}
