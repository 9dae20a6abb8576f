/**
 * Timeline: a run's history as lines for people. Pure: events in, lines out.
 */
import { type Paint, wrapText } from "./terminal.ts";

/** A history event, as `run.history()` gives it; only the fields that a timeline shows. */
export type TimelineEvent = {
  readonly kind: string;
  readonly atMs: number;
  /** Kind of the step: step, compensation, now, child … */
  readonly step?: string;
  readonly key?: string;
  readonly outcome?: string;
  readonly attempt?: number;
  readonly durationMs?: number;
  readonly dueAtMs?: number | null;
  readonly note?: string;
  readonly state?: string;
  readonly value?: unknown;
  readonly error?: unknown;
};

/** How to draw. */
export type TimelineStyle = { readonly paint: Paint; readonly columns: number };

type Tone = "good" | "bad" | "undo" | "quiet";
type Row = {
  readonly atMs: number;
  readonly mark: string;
  readonly tone: Tone;
  readonly text: string;
  readonly detail: string;
  /** Further texts, below. */
  readonly more: readonly string[];
};

/** Width of the time at the left, `  0.12 s `, and of the column of names. */
const TIME_WIDTH = 10;
const NAME_WIDTH = 28;

/** One line per event that tells something; more for a failure. Times count from the first event. */
export function renderTimeline(events: readonly TimelineEvent[], style: TimelineStyle): readonly string[] {
  const startMs = events[0]?.atMs ?? 0;
  return events.flatMap(toRows).flatMap((row) => renderRow(row, startMs, style));
}

/** Milliseconds for people: `85 ms`, `1.25 s`. */
export function formatMs(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(2)} s`;
}

/** Code and message of anything that was thrown. */
export function describeError(error: unknown): { readonly code: string; readonly message: string } {
  const { code, name, message } = Object(error) as Partial<Record<"code" | "name" | "message", string>>;
  return { code: code ?? name ?? "Error", message: message ?? String(error) };
}

function toRows(event: TimelineEvent): readonly Row[] {
  const row = { atMs: event.atMs, mark: "·", tone: "quiet" as Tone, text: event.key ?? "", detail: "", more: [] };
  switch (event.kind) {
    case "started":
      return [{ ...row, text: "started" }];
    case "step":
      return event.step === "now" ? [] : [{ ...row, ...stepRow(event) }];
    case "attempt_failed":
      return [{ ...row, mark: "✗", tone: "bad", detail: `attempt ${event.attempt}`, more: failureText(event) }];
    case "wait_began":
      return [{ ...row, text: `waits for ${event.key}` }];
    case "note":
      return noteRows(row, event);
    case "ended":
      return [{ ...row, ...endRow(event) }];
    default:
      return [];
  }
}

function stepRow(event: TimelineEvent): Partial<Row> {
  const attempt = (event.attempt ?? 1) > 1 ? `, attempt ${event.attempt}` : "";
  const detail = `${formatMs(event.durationMs ?? 0)}${attempt}`;
  if (event.step === "compensation") {
    return { mark: "↩", tone: "undo", text: `${(event.key ?? "").replace("@compensate/", "")} undone`, detail };
  }
  if (event.outcome === "completed" || event.outcome === "handled") return { mark: "✓", tone: "good", detail };
  return { mark: "✗", tone: "bad", detail: `attempt ${event.attempt}, the last`, more: failureText(event) };
}

function noteRows(row: Row, event: TimelineEvent): readonly Row[] {
  if (event.note === "takeover") return [{ ...row, mark: "»", tone: "undo", text: "a new worker takes over" }];
  if (event.note === "compensating") return [{ ...row, mark: "↩", tone: "undo", text: "undoing what was done" }];
  if (event.note === "paused") return [{ ...row, mark: "!", tone: "bad", text: "paused", more: failureText(event) }];
  return [];
}

function endRow(event: TimelineEvent): Partial<Row> {
  if (event.state === "completed") return { mark: "■", tone: "good", text: "completed" };
  return { mark: "■", tone: "bad", text: event.state ?? "ended", detail: describeError(event.value).code };
}

function failureText(event: TimelineEvent): readonly string[] {
  const { code, message } = describeError(event.error ?? event.value);
  const dueAtMs = event.dueAtMs ?? null;
  const again = dueAtMs === null ? [] : [`again in ${formatMs(dueAtMs - event.atMs)}`];
  return [`${code}: ${message}`, ...again];
}

function renderRow(row: Row, startMs: number, { paint, columns }: TimelineStyle): readonly string[] {
  const colour = { good: paint.green, bad: paint.red, undo: paint.yellow, quiet: paint.dim }[row.tone];
  const time = `${((row.atMs - startMs) / 1_000).toFixed(2)} s`.padStart(TIME_WIDTH - 1);
  const indent = " ".repeat(TIME_WIDTH + 2);
  const fits = indent.length + Math.max(NAME_WIDTH, row.text.length + 1) + row.detail.length <= columns;
  const beside = row.detail !== "" && fits;
  const head = beside ? `${row.text.padEnd(NAME_WIDTH - 1)} ${paint.dim(row.detail)}` : row.text;
  const lines = [`${paint.dim(time)} ${colour(row.mark)} ${head}`];
  const below = beside || row.detail === "" ? row.more : [row.detail, ...row.more];
  const more = below.flatMap((text) => wrapText(text, columns - indent.length));
  return [...lines, ...more.map((line) => indent + paint.dim(line))];
}
