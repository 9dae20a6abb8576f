/**
 * Breaker: when a service that keeps failing may be called again.
 *
 * The whole state machine, as pure functions: rows in, rows out. A store keeps the row and replaces it only where nobody
 * else has done so since (`revision`); the engine asks and tells.
 *
 *          `failures` failed attempts in a row             `reset` has passed
 *   closed ──────────────────────────────────────▸ open ─────────────────────▸ half-open
 *      ▴                                             ▴                            │  one probe at a time
 *      │                                             └──── the probe failed ──────┤
 *      └─────────────────────────────────────────────────── the probe succeeded ──┘
 *
 *   R1. Nobody is admitted while it is open, and one attempt at a time while it is half-open: the probe.
 *   R2. A probe counts as under way for as long as its run is held by the owner who asked for it.
 *   R3. An attempt tells something only of the state under which it was admitted (`epoch`): one that began before the
 *       breaker opened neither closes nor opens it later.
 *   R4. Admission and report may be repeated: each attempt has a mark of its own, and counts once.
 */
import { showValue } from "./plain.ts";
import { StepwellError } from "./codes.ts";
import { type Duration, parseDuration } from "./duration.ts";
import { checkKeys } from "./options.ts";
import type { Owner } from "./run.ts";

/** What a step says about its circuit breaker. */
export type BreakerOptions = {
  /** Of the breaker: all steps that name it share it, whatever their workflow, in all processes of the store. */
  readonly name: string;
  /** So many failed attempts in a row, of all runs, open it: 1 to 1,000. */
  readonly failures: number;
  /** So long nobody is called; then one attempt, the probe, may try. */
  readonly reset: Duration;
  /** While it is open: `wait` lets the step wait, without using up an attempt; `fail` fails it with BREAKER_OPEN. */
  readonly open?: "wait" | "fail";
};

/** Checked options. */
export type BreakerPolicy = {
  readonly name: string;
  readonly failuresMax: number;
  readonly resetMs: number;
  readonly open: "wait" | "fail";
};

/** As the store keeps it. Moments are epoch milliseconds by the store's clock. */
export type Breaker = {
  readonly name: string;
  /** Counts the changes of the row, from 1. */
  readonly revision: number;
  /** Counts what it has opened, closed and let through to probe; see R3. */
  readonly epoch: number;
  /** Marks of the attempts that failed in a row; they stay while it is open (R4). */
  readonly failures: readonly string[];
  /** Since when it is closed, or is not. */
  readonly sinceMs: number;
  /** From when on a probe may be made; null: closed. */
  readonly openUntilMs: number | null;
  readonly probe: Probe | null;
  /** Who tripped or reset it by hand last. */
  readonly touched: { readonly actor: string; readonly reason: string; readonly atMs: number } | null;
};

/** The attempt that was let through, and under which claim (R2). */
export type Probe = { readonly mark: string; readonly owner: Owner };

/** What was read: the row, null while nobody has asked for it, and what is true of it just then. */
export type BreakerLook = {
  readonly breaker: Breaker | null;
  /** Its probe is under way (R2). */
  readonly probing: boolean;
  /** Whoever asks holds its run. */
  readonly held: boolean;
  /** Milliseconds by the store's clock. */
  readonly nowMs: number;
};

/** What an admitted attempt must show when it tells how it ended. */
export type Pass = { readonly epoch: number; readonly mark: string };

/** Whether an attempt may be made; `row`: to be stored first. `probeInMs` 0: a probe may be made, but one is under way. */
export type Admission =
  | { readonly kind: "admitted"; readonly pass: Pass; readonly row: Breaker | null }
  | { readonly kind: "refused"; readonly probeInMs: number };

/** What an attempt tells of the service; `nothing`: it was stopped before it could. */
export type Verdict = "success" | "failure" | "nothing";

/** Where a breaker stands. */
export type BreakerState = "closed" | "open" | "half-open";

/** It is a key of the store. */
const NAME_LENGTH_MAX = 200;

/** Keeps the row small: it holds a mark of each failure. */
export const BREAKER_FAILURES_MAX = 1_000;

/**
 * Check what a step says.
 *
 * @throws OPTION_UNKNOWN, OPTION_INVALID, DURATION_INVALID
 */
export function parseBreaker(options: BreakerOptions, where: string): BreakerPolicy {
  const at = `circuitBreaker of ${where}`;
  checkKeys(at, options, ["name", "failures", "reset", "open"]);
  const { name, failures, reset, open = "wait" } = options;
  if (!Number.isInteger(failures) || failures < 1 || failures > BREAKER_FAILURES_MAX) {
    throw invalid(at, "failures", failures, `a whole number from 1 to ${BREAKER_FAILURES_MAX}`);
  }
  if (open !== "wait" && open !== "fail") throw invalid(at, "open", open, '"wait" or "fail"');
  const resetMs = parseDuration(reset, `reset of ${at}`);
  if (resetMs === 0) throw invalid(at, "reset", reset, "longer than nothing");
  return { name: breakerName(name, at), failuresMax: failures, resetMs, open };
}

/** @throws OPTION_INVALID for what is no name of a breaker */
export function breakerName(name: string, where: string): string {
  const sound = typeof name === "string" && name !== "" && name.length <= NAME_LENGTH_MAX && name.isWellFormed();
  if (sound && !/\p{Cc}/u.test(name)) return name;
  throw invalid(where, "name", name, `a text of 1 to ${NAME_LENGTH_MAX} characters, none of them a control character`);
}

/** Where it stands at that moment. */
export function breakerState({ openUntilMs }: Pick<Breaker, "openUntilMs">, nowMs: number): BreakerState {
  if (openUntilMs === null) return "closed";
  return nowMs < openUntilMs ? "open" : "half-open";
}

/** Whether the attempt of that mark may be made (R1). */
export function admit(look: BreakerLook, name: string, probe: Probe): Admission {
  const { breaker, nowMs } = look;
  const { mark } = probe;
  if (breaker === null) return { kind: "admitted", pass: { epoch: 1, mark }, row: newBreaker(name, nowMs) };
  if (breaker.openUntilMs === null) return { kind: "admitted", pass: { epoch: breaker.epoch, mark }, row: null };
  if (nowMs < breaker.openUntilMs) return { kind: "refused", probeInMs: breaker.openUntilMs - nowMs };
  if (!look.probing) {
    const row = next(breaker, { probe, epoch: breaker.epoch + 1 });
    return { kind: "admitted", pass: { epoch: row.epoch, mark }, row };
  }
  const mine = breaker.probe?.mark === mark;
  return mine
    ? { kind: "admitted", pass: { epoch: breaker.epoch, mark }, row: null }
    : { kind: "refused", probeInMs: 0 };
}

/** What an attempt has told, as the row to be stored; null: it changes nothing (R3, R4). */
export function report(
  { breaker, nowMs }: Pick<BreakerLook, "breaker" | "nowMs">,
  { epoch, mark }: Pass,
  verdict: Verdict,
  { failuresMax, resetMs }: Pick<BreakerPolicy, "failuresMax" | "resetMs">,
): Breaker | null {
  if (breaker === null || breaker.epoch !== epoch) return null;
  const probed = breaker.openUntilMs !== null;
  if (probed && breaker.probe?.mark !== mark) return null;
  switch (verdict) {
    case "nothing":
      return probed ? next(breaker, { probe: null }) : null;
    case "success":
      if (probed) return closed(breaker, nowMs);
      return breaker.failures.length === 0 ? null : next(breaker, { failures: [] });
    case "failure": {
      if (probed) return opened(breaker, nowMs, resetMs);
      if (breaker.failures.includes(mark)) return null;
      const counted = { ...breaker, failures: [...breaker.failures, mark] };
      return counted.failures.length < failuresMax ? next(counted, {}) : opened(counted, nowMs, resetMs);
    }
  }
}

/** Opened for so long, whatever it was. */
export function opened(breaker: Breaker, nowMs: number, forMs: number): Breaker {
  const sinceMs = breaker.openUntilMs === null ? nowMs : breaker.sinceMs;
  return next(breaker, { epoch: breaker.epoch + 1, openUntilMs: nowMs + forMs, sinceMs, probe: null });
}

/** Closed, its failures forgotten. */
export function closed(breaker: Breaker, nowMs: number): Breaker {
  const sinceMs = breaker.openUntilMs === null ? breaker.sinceMs : nowMs;
  return next(breaker, { epoch: breaker.epoch + 1, openUntilMs: null, sinceMs, failures: [], probe: null });
}

/**
 * When a step that was refused looks again: not before a probe may be made, but at least once a minute, since the breaker
 * may be reset by hand; and a little later by chance, so that those who wait do not all come at once.
 *
 * | refused because | looks again after    | and later by up to   |
 * | --------------- | -------------------- | -------------------- |
 * | it is open      | `probeInMs`, ≤ 1 m   | reset / 10, ≤ 5 s    |
 * | of a probe      | reset / 10, ≤ 5 s    | the same             |
 *
 * @param fraction in [0, 1)
 */
export function lookInMs(probeInMs: number, resetMs: number, fraction: number): number {
  const spreadMs = Math.max(LOOK_MS_MIN, Math.min(resetMs / 10, SPREAD_MS_MAX));
  const nominalMs = probeInMs > 0 ? Math.min(probeInMs, LOOK_MS_MAX) : spreadMs;
  return Math.ceil(nominalMs + spreadMs * fraction);
}

const LOOK_MS_MIN = 10;
const LOOK_MS_MAX = 60_000;
const SPREAD_MS_MAX = 5_000;

function newBreaker(name: string, nowMs: number): Breaker {
  const standing = { failures: [], sinceMs: nowMs, openUntilMs: null, probe: null, touched: null };
  return { name, revision: 1, epoch: 1, ...standing };
}

function next(breaker: Breaker, change: Partial<Breaker>): Breaker {
  return { ...breaker, ...change, revision: breaker.revision + 1 };
}

function invalid(where: string, option: string, got: unknown, range: string): StepwellError {
  const shown = showValue(got);
  return new StepwellError("OPTION_INVALID", `${where}: ${option} must be ${range}, got ${shown}`, {
    details: { where, option, got: shown },
  });
}
