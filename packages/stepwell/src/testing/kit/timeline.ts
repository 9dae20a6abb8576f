/**
 * Timeline: what happened to a run, one event a line, as a person would tell it. It stands
 * below every failed assertion of the kit.
 */
import { inspect } from "node:util";
import type { DecodedEvent, RunHandle, RunStatus } from "../../engine/handle.ts";
import { formatDuration } from "../../model/duration.ts";
import { shorten } from "../../model/plain.ts";
import type { Wait } from "../../model/run.ts";

/** Events told; of a longer history the last ones. */
const EVENTS_MAX = 100;

/** Longest value shown on a line. */
const VALUE_LENGTH_MAX = 200;

/**
 * What happened to a run so far, for people:
 *
 *     timeline of shop/fulfil order:42: waiting
 *       +0 ms       started by kim: { item: 'lamp' }
 *       +0 ms       step charge completed: { id: 'pay_1' }
 *       +0 ms       sleep cool-off began, until +10 m
 */
export async function timelineOf(run: RunHandle): Promise<string> {
  return tellRun(await run.status(), await run.history());
}

/** {@link timelineOf} a run that has been read already. */
export function tellRun(status: RunStatus, history: readonly DecodedEvent[]): string {
  const startMs = status.createdAtMs;
  const told = history.slice(-EVENTS_MAX);
  const left = history.length - told.length;
  return [
    `timeline of ${status.workflow} ${status.id}: ${status.state}`,
    ...(left === 0 ? [] : [`  … ${left} events before`]),
    ...told.map((event) => `  ${`+${formatDuration(event.atMs - startMs)}`.padEnd(11)} ${tellEvent(event, startMs)}`),
  ].join("\n");
}

/** A value on one line. */
export function showValue(value: unknown): string {
  if (value instanceof Error) return shorten(`${codeOf(value)}${value.message}`, VALUE_LENGTH_MAX);
  return shorten(inspect(value, { depth: 4, breakLength: Infinity, compact: true }), VALUE_LENGTH_MAX);
}

/** A wait as people say it: `signal "approval", at most until 2026-01-03T00:00:00.000Z`. */
export function tellWait({ kind, key, name, dueAtMs }: Wait): string {
  const of = kind === "child" ? `child "${key}" (${name})` : `${kind} "${name}"`;
  if (dueAtMs === null) return of;
  return `${of}, ${kind === "timer" || kind === "retry" ? "" : "at most "}until ${new Date(dueAtMs).toISOString()}`;
}

function tellEvent(event: DecodedEvent, startMs: number): string {
  switch (event.kind) {
    case "started":
      return `started by ${event.actor}: ${showValue(event.input)}`;
    case "step": {
      const attempt = event.attempt > 1 ? ` in attempt ${event.attempt}` : "";
      const value = event.value === undefined ? "" : `: ${showValue(event.value)}`;
      return `${event.step} ${event.key} ${event.outcome}${attempt}${value}`;
    }
    case "attempt_failed": {
      const again = event.dueAtMs === null ? "" : `, again at +${formatDuration(event.dueAtMs - startMs)}`;
      return `${event.step} ${event.key} failed in attempt ${event.attempt}${again}: ${showValue(event.error)}`;
    }
    case "attempt_began":
      return `${event.step} ${event.key} still running in attempt ${event.attempt}`;
    case "wait_began": {
      const until = event.dueAtMs === null ? "" : `, until +${formatDuration(event.dueAtMs - startMs)}`;
      return `${event.step} ${event.key} began${until}`;
    }
    case "received":
      return `${event.seq === null ? "holds" : "received"} ${event.item} ${event.name} from ${event.actor}: ${showValue(event.value)}`;
    case "note":
      return `${event.note}: ${tellNote(event.value)}`;
    case "ended":
      return `ended, ${event.state}: ${showValue(event.value)}`;
  }
}

/** The error of a note is stored with its stack, which is of no use on one line. */
function tellNote(value: unknown): string {
  const { error, key, doing, name, state, message, fields } = (value ?? {}) as NoteValue;
  if (error !== undefined) return shorten(`${error.name}: ${error.message}`, VALUE_LENGTH_MAX);
  if (key !== undefined) return `"${key}"`;
  if (doing !== undefined) return doing;
  if (name !== undefined) return `"${name}" is ${state}`;
  if (message === undefined) return "";
  return `${message}${Object.keys(fields ?? {}).length === 0 ? "" : ` ${showValue(fields)}`}`;
}

/** Of which each note has one, see NoteKind. */
type NoteValue = {
  readonly error?: { readonly name: string; readonly message: string };
  readonly key?: string;
  readonly doing?: string;
  readonly name?: string;
  readonly state?: string;
  readonly message?: string;
  readonly fields?: Readonly<Record<string, unknown>>;
};

function codeOf(error: Error): string {
  const { code } = error as { readonly code?: unknown };
  const known = typeof code !== "string" || error.message.startsWith(code);
  return known ? `${error.name}: ` : `${error.name} ${code}: `;
}
