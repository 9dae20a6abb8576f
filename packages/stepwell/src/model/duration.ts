/**
 * Duration: how long, as people write it and as the engine counts it.
 *
 *     duration = pair { pair }         pairs from the largest unit to the smallest, each unit once
 *     pair     = number unit           spaces are allowed between all parts
 *     number   = digits [ "." digits ]
 *     unit     = "w" | "d" | "h" | "m" | "s" | "ms"
 *
 * A day is 24 hours and a week 7 days, whatever the calendar says.
 */
import { showValue } from "./plain.ts";
import { StepwellError } from "./codes.ts";

/** Milliseconds, or a text such as "250ms", "30s", "1h30m", "1.5 h" or "2d". */
export type Duration = number | string;

/** Longest duration accepted: ten years of 365 days. */
export const DURATION_MS_MAX = 10 * 365 * 86_400_000;

/** The last moment that a Date can hold, in epoch milliseconds. */
const EPOCH_MS_MAX = 8_640_000_000_000_000;

/** Longest text looked at; nothing sensible is longer. */
const TEXT_LENGTH_MAX = 100;

const UNITS_MS: ReadonlyMap<string, number> = new Map([
  ["w", 604_800_000],
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1_000],
  ["ms", 1],
]);

/**
 * Whole milliseconds of `duration`, rounded, in [0, DURATION_MS_MAX].
 *
 * @param where names the option in the error, as "timeout of step charge"
 * @throws DURATION_INVALID
 */
export function parseDuration(duration: Duration, where: string): number {
  const ms = Math.round(typeof duration === "number" ? duration : readText(duration));
  if (ms >= 0 && ms <= DURATION_MS_MAX) return ms + 0;
  const shown = showValue(duration);
  const fault = ms < 0 ? "is negative" : ms > DURATION_MS_MAX ? "is longer than ten years" : "cannot be read";
  throw new StepwellError("DURATION_INVALID", `${where}: ${shown} ${fault}`, { details: { where, duration: shown } });
}

/**
 * Epoch milliseconds of a moment, rounded up so that nothing is early by a part of one.
 *
 * @param where names the call in the error, as `sleepUntil "opening"`
 * @throws MOMENT_INVALID
 */
export function parseMoment(moment: Date | number, where: string): number {
  const ms: unknown = moment instanceof Date ? moment.getTime() : moment;
  if (typeof ms === "number" && Math.abs(ms) <= EPOCH_MS_MAX) return Math.ceil(ms) + 0;
  const shown = String(moment).slice(0, TEXT_LENGTH_MAX);
  throw new StepwellError("MOMENT_INVALID", `${where}: ${shown} is no moment`, { details: { where, moment: shown } });
}

/** Milliseconds of a text; NaN when it is not in the grammar. */
function readText(text: unknown): number {
  if (typeof text !== "string" || text.length > TEXT_LENGTH_MAX) return Number.NaN;
  const pair = /\s*(\d+(?:\.\d+)?)\s*(ms|[wdhms])\s*/y;
  let totalMs = 0;
  let smallerThan = Infinity;
  do {
    const match = pair.exec(text);
    const unitMs = UNITS_MS.get(match?.[2] ?? "") ?? Infinity;
    if (unitMs >= smallerThan) return Number.NaN;
    totalMs += Number(match?.[1]) * unitMs;
    smallerThan = unitMs;
  } while (pair.lastIndex < text.length);
  return totalMs;
}

/**
 * A duration for people, in at most two units: "850 ms", "1.2 s", "3 m 20 s", "2 h 5 m", "3 d 4 h".
 *
 * @param ms milliseconds ≥ 0
 */
export function formatDuration(ms: number): string {
  if (Math.round(ms) < 1_000) return `${Math.round(ms)} ms`;
  if (Math.round(ms / 100) < 600) return `${Math.round(ms / 100) / 10} s`;
  if (Math.round(ms / 1_000) < 3_600) return twoUnits(ms / 1_000, 60, "m", "s");
  if (Math.round(ms / 60_000) < 1_440) return twoUnits(ms / 60_000, 60, "h", "m");
  return twoUnits(ms / 3_600_000, 24, "d", "h");
}

function twoUnits(amount: number, base: number, large: string, small: string): string {
  const whole = Math.round(amount);
  const rest = whole % base;
  const head = `${Math.floor(whole / base)} ${large}`;
  return rest === 0 ? head : `${head} ${rest} ${small}`;
}
