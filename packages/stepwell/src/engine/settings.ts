/**
 * Settings: what an engine may be told, checked once at the door with every fault named, then frozen.
 */
import { showValue } from "../model/plain.ts";
import { type Duration, parseDuration } from "../model/duration.ts";
import { StepwellError } from "../model/errors.ts";
import { type Limits, LIMITS_DEFAULT } from "../model/json.ts";
import { checkKeys } from "../model/options.ts";
import type { Store } from "../store/store.ts";
import type { Host } from "./host.ts";
import { toStuckAfter } from "./stuck-after.ts";
import type { Workflow } from "./workflow.ts";

/** How a worker works. */
export type WorkOptions = {
  /** How the worker is called where workers are listed. Default: `host:pid`. */
  readonly name?: string;
  /** Runs executed side by side; 512 by default. Parked runs do not count. */
  readonly concurrency?: number;
  /** Drain, close and exit with code 0 on the first of these signals; a second one exits at once with 1. */
  readonly drainOn?: readonly ("SIGTERM" | "SIGINT")[];
};

/** Options of an engine. Durations are milliseconds or texts like "10s". */
export type EngineOptions = {
  /** What this process can execute. */
  readonly workflows?: readonly Workflow[];
  /** Execute runs at once. Default: true when there are workflows. */
  readonly work?: boolean | WorkOptions;
  /** Who acts when a call names no actor; default: the process. */
  readonly actor?: string;
  /** A worker that has not renewed for so long is taken for dead. Default 10 s. */
  readonly lease?: Duration;
  /** A wait that is due within this time keeps its run in memory and claimed. Default 1 s. */
  readonly hotWait?: Duration;
  /**
   * Longest time between two looks for what other processes left: runs that are due or have ended, new versions.
   * What happens in this process is noticed at once. Default: as the store advises, 1 s on SQLite, 10 s on PostgreSQL,
   * and 2 s there while its notifications do not arrive.
   */
  readonly poll?: Duration;
  /** Parked bodies kept in memory at most. Default 1,000. */
  readonly lingerMax?: number;
  /** How long the end of a run, or a drain, waits for step code that is still running. Default 10 s. */
  readonly grace?: Duration;
  /**
   * A run that has not moved for so long, nor for the timeout of a step it executes, is reported in its history and the
   * log; so are versions whose runs are due and not executed. Default 5 m; false: nothing is looked for.
   */
  readonly stuckAfter?: Duration | false;
  /** Payload limits, and `eventsMax`: events in the history of one run, 100,000 by default. */
  readonly limits?: Partial<Limits & { readonly eventsMax: number }>;
  /** Gets every `ctx.log` and what the engine has to report. Nothing is printed otherwise. */
  readonly log?: (entry: LogEntry) => void;
};

/** Validated options; all durations in milliseconds. */
export type Settings = {
  /** Who calls when a call names no actor. */
  readonly actor: string;
  /** Runs executed side by side by this worker. */
  readonly concurrency: number;
  /** How this worker is called. */
  readonly workerName: string;
  /** A worker that has not renewed for so long is taken for dead. */
  readonly leaseMs: number;
  /** A wait that is due within this time keeps its run claimed and in memory. */
  readonly hotWaitMs: number;
  /** Longest sleep between two looks for what other processes left: the net below all wake-ups. Null: as the store advises. */
  readonly pollMs: number | null;
  /** Parked bodies kept in memory, so that they continue without a replay. */
  readonly lingerMax: number;
  /** How long the end of a run, or a drain, waits for step code that is still running. */
  readonly graceMs: number;
  /** A run that has not moved for so long is reported; null: none is, unless its workflow says so. */
  readonly stuckAfterMs: number | null;
  readonly limits: Limits;
  /** Events that the history of one run may have when a call begins. */
  readonly eventsMax: number;
};

/** Longest history of a run unless told; a run that needs more should start a child or split its work. */
export const HISTORY_SEQ_MAX = 100_000;

/** One entry of the engine's log. `run` is `namespace/name id`. */
export type LogEntry = {
  readonly level: "info" | "warn" | "error";
  readonly message: string;
  readonly run?: string;
  readonly fields?: Readonly<Record<string, unknown>>;
};

/**
 * Check the options of an engine.
 *
 * @throws StepwellError OPTION_UNKNOWN, OPTION_INVALID, DURATION_INVALID
 */
export function toSettings(host: Host, options: EngineOptions): Settings {
  checkKeys("options of openEngine", options, OPTIONS);
  checkKeys("limits", options.limits ?? {}, [...Object.keys(LIMITS_DEFAULT), "eventsMax"]);
  const work = typeof options.work === "object" ? options.work : {};
  const process = host.describeProcess();
  const limits = { ...LIMITS_DEFAULT, eventsMax: HISTORY_SEQ_MAX, ...options.limits };
  return Object.freeze({
    actor: options.actor ?? `process:${process.name}`,
    ...toWork({ concurrency: 512, workerName: process.name }, work),
    leaseMs: whole("lease", parseDuration(options.lease ?? "10s", "lease"), 100),
    hotWaitMs: parseDuration(options.hotWait ?? "1s", "hotWait"),
    pollMs: options.poll === undefined ? null : whole("poll", parseDuration(options.poll, "poll"), POLL_MS_MIN),
    lingerMax: whole("lingerMax", options.lingerMax ?? 1_000, 0),
    graceMs: parseDuration(options.grace ?? "10s", "grace"),
    stuckAfterMs: toStuckAfter(options.stuckAfter ?? "5m", "stuckAfter"),
    limits: {
      bytesMax: whole("limits.bytesMax", limits.bytesMax, 1),
      depthMax: whole("limits.depthMax", limits.depthMax, 1, DEPTH_MAX),
      keysMax: whole("limits.keysMax", limits.keysMax, 1),
    },
    eventsMax: whole("limits.eventsMax", limits.eventsMax, 1),
  });
}

/** Check the options of `work`; what they leave out stays as it was. */
export function toWork(before: Pick<Settings, "concurrency" | "workerName">, work: WorkOptions): typeof before {
  checkKeys("options of work", work, ["name", "concurrency", "drainOn"]);
  const workerName = work.name ?? before.workerName;
  if (typeof workerName !== "string" || workerName === "") {
    throw new StepwellError("OPTION_INVALID", `the name of a worker must be a text, got ${showValue(work.name)}.`);
  }
  return { concurrency: whole("concurrency", work.concurrency ?? before.concurrency, 1), workerName };
}

/** Longest pause between two looks for what others left: as told, or as the store advises just now. */
export function pollMsOf({ pollMs }: Pick<Settings, "pollMs">, store: Pick<Store, "pollMs">): number {
  return pollMs ?? store.pollMs();
}

/** Values nested deeper would exhaust the stack of the walk that copies them. */
const DEPTH_MAX = 1_000;

/** Looking more often than this would keep the store busy with nothing. */
const POLL_MS_MIN = 10;

const OPTIONS = [
  "store",
  "workflows",
  "work",
  "actor",
  "lease",
  "hotWait",
  "poll",
  "lingerMax",
  "grace",
  "stuckAfter",
  "limits",
  "log",
];

function whole(where: string, value: number, min: number, max: number = Number.MAX_SAFE_INTEGER): number {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return value;
  const range = max === Number.MAX_SAFE_INTEGER ? `from ${min} up` : `from ${min} to ${max}`;
  throw new StepwellError("OPTION_INVALID", `${where} must be a whole number ${range}, got ${showValue(value)}.`);
}
