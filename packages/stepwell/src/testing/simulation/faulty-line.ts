/**
 * Faulty line: what lies between a simulated process and the one database: delays, failures, unknown outcomes, and the
 * record of what the store really did. See faulty-store.ts.
 */
import type { Dice } from "../../model/dice.ts";
import { StepwellError } from "../../model/errors.ts";
import type { Claim, Store } from "../../store/store.ts";
import type { StoreRecord } from "./evidence.ts";
import type { Process } from "./kernel.ts";

/** How bad it is just now. Chances are per call, in [0, 1]. */
export type Weather = {
  readonly delayMsMax: number;
  /** Nothing is applied, and the caller is told so. */
  readonly failure: number;
  /** The caller cannot know whether it was applied. */
  readonly unknown: number;
};

/** Nothing goes wrong; answers take a few milliseconds at most. */
export const FAIR_WEATHER: Weather = { delayMsMax: 3, failure: 0, unknown: 0 };

/** The one database of a simulation. */
export type Disk = {
  readonly store: Store;
  /** Never crashes. */
  readonly process: Process;
  readonly remote: boolean;
  /** The server's clock; used when remote. */
  readonly nowMs: () => number;
  readonly weather: () => Weather;
  /** Next place in the global order, see Stamp. */
  readonly tick: () => number;
  readonly trueMs: () => number;
  readonly keep: (record: StoreRecord) => void;
  /** Who wants to hear that others have committed; none at first. */
  readonly watching: Set<Watching>;
  /** One at most; none at first. */
  readonly openTxs: Set<OpenTx>;
};

/** A transaction that is open, and how it is taken back from outside. */
export type OpenTx = { takeBack: () => void };

/** One caller that watches. */
export type Watching = { readonly caller: Process; readonly changed: () => void };

/** A caller's connection. */
export type Line = {
  readonly disk: Disk;
  readonly caller: Process;
  readonly dice: Dice;
  readonly watchDice: Dice;
  /** Until then a commit of unknown outcome may still be on its way: its locks hold up what follows. */
  lateUntilMs: number;
  /** From an unknown outcome until the next success no failed flush is a definite one: it may be stored already. */
  inDoubt: boolean;
  /** Claims that were made and never told; an adapter gives them with the next claim. */
  doubtful: readonly Claim[];
};

/** A record before it is stamped. */
export type Unstamped<T> = T extends unknown ? Omit<T, "at" | "trueMs" | "process" | "knownAt"> : never;
/** What an answer leaves in the records. */
export type Note<T> = (answer: T) => Unstamped<StoreRecord>;

/** What a call does. */
export type Access = "read" | "write" | "flush";
/** What becomes of a call. */
export type Fate = "answered" | "failed" | "lost" | "unknown" | "late";

/** Who else watches hears, sooner or later, that something was committed. */
export function tellWatching({ watching }: Disk, committer: Process): void {
  for (const one of [...watching]) {
    if (!one.caller.isAlive()) watching.delete(one);
    else if (one.caller !== committer) one.changed();
  }
}

/** `lost`: unknown and not applied. `late`: unknown and applied after the caller was told. A read fails, or not. */
export function chooseFate(dice: Dice, weather: Weather, access: Access, remote: boolean): Fate {
  if (dice.chance(weather.failure)) return "failed";
  if (access === "read" || !dice.chance(weather.unknown)) return "answered";
  return dice.pick(remote ? (["lost", "unknown", "late"] as const) : (["lost", "unknown"] as const));
}

/** Of one way. */
export function delayMs(dice: Dice, weather: Weather): number {
  return dice.integer(weather.delayMsMax + 1);
}

/** Stamp a record, and keep it. */
export function keep(line: Line, record: Unstamped<StoreRecord> | undefined): StoreRecord | null {
  if (record === undefined) return null;
  const { disk, caller } = line;
  const kept = {
    ...record,
    at: disk.tick(),
    trueMs: disk.trueMs(),
    process: caller.name,
    knownAt: null,
  } as StoreRecord;
  disk.keep(kept);
  return kept;
}

/** Nothing was applied. */
export function definite(dice: Dice, access: Access): StepwellError {
  const full = access !== "read" && dice.chance(0.5);
  return full
    ? new StepwellError("STORE_FULL", "the simulated disk is full.")
    : new StepwellError("STORE_BUSY", "the simulated database is busy.");
}

/** Nobody knows. */
export function unknown(): StepwellError {
  return new StepwellError("STORE_OUTCOME_UNKNOWN", "the simulated connection was lost during a commit.");
}
