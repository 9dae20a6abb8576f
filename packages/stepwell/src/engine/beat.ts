/**
 * Beat: steps that run for long. One that is still running after a second gets a row, so
 * that it can be seen; its heartbeats are kept there, one a second at most, the newest.
 *
 * All steps of a worker share one look, four times a second while it executes anything: a
 * step that is quick costs nothing. The same look finds runs whose time is up.
 */
import { decode, encode } from "../model/json.ts";
import { expireIfDue } from "./deadline.ts";
import { quieten } from "./delivery.ts";
import type { Deps } from "./deps.ts";
import type { Execution, RunningStep } from "./execution.ts";
import { saveRunning, submit } from "./record.ts";
import type { Slots } from "./slots.ts";

/** Pause between two looks. */
const LOOK_MS = 250;

/** A step that has run for so long is told of. */
const LONG_MS = 1_000;

/** Pause between two stored heartbeats of a step. */
const BEAT_MS_MIN = 1_000;

/** Look at what is executed, again and again, until nothing is. */
export function watchSteps(deps: Deps, slots: Slots): void {
  if (slots.watching) return;
  slots.watching = true;
  slots.cancelWatch = deps.host.upkeep(LOOK_MS, () => {
    slots.watching = false;
    if (slots.executing.size === 0) return;
    for (const exec of slots.executing.values()) look(deps, exec);
    watchSteps(deps, slots);
  });
}

/** `step.heartbeat`: the attempt lives; `details` are for the next one. What was given up is not listened to. */
export function beatStep(deps: Deps, step: RunningStep, details: unknown): void {
  const text = details === undefined ? null : encode(details, deps.settings.limits).text;
  const atMs = deps.host.monotonicMs();
  const before = step.beat;
  step.beat = { text: text ?? before?.text ?? null, atMs, savedAtMs: before?.savedAtMs ?? -Infinity, saved: false };
  if (step.exec.phase === "running" && step.exec.stepping.has(step)) saveBeat(deps, step, atMs);
}

/** `step.lastHeartbeat`: what the newest earlier attempt told last; undefined when none did. */
export function lastBeat({ exec, key }: RunningStep): unknown {
  const text = exec.beats?.get(key);
  return text === undefined ? undefined : decode(text);
}

/** An attempt that told something has failed: the next one can read it, also after a crash. */
export function endBeats(deps: Deps, step: RunningStep): void {
  const { exec, key, beat } = step;
  if (beat === null || step.context.attempt === 0) return;
  if (exec.phase === "running") saveBeat(deps, step, Infinity);
  if (beat.text === null) return;
  exec.beats ??= new Map();
  exec.beats.set(key, beat.text);
}

function look(deps: Deps, exec: Execution): void {
  if (exec.phase !== "running" || expireIfDue(deps, exec)) return;
  const nowMs = deps.host.monotonicMs();
  for (const step of exec.stepping) {
    if (nowMs - step.startedMs >= LONG_MS) tell(deps, step, nowMs);
    if (step.beat !== null) saveBeat(deps, step, nowMs);
  }
}

/** Once per attempt. The code of a handler of errors is part of an attempt that has failed: it has none of its own. */
function tell(deps: Deps, step: RunningStep, nowMs: number): void {
  const { exec, key, startedMs, context } = step;
  if (step.told || context.attempt === 0) return;
  step.told = true;
  const kind = exec.open.get(key)?.kind ?? "step";
  const durationMs = Math.round(nowMs - startedMs);
  saveRunning(deps, exec, { key, kind, attempt: context.attempt, error: null, durationMs });
}

function saveBeat(deps: Deps, step: RunningStep, nowMs: number): void {
  const { exec, key, context, beat } = step;
  if (beat === null || beat.saved || nowMs - beat.savedAtMs < BEAT_MS_MIN || context.attempt === 0) return;
  beat.saved = true;
  beat.savedAtMs = deps.host.monotonicMs();
  tell(deps, step, beat.savedAtMs);
  const write = { kind: "beat", owner: exec.owner, key, attempt: context.attempt, value: beat.text } as const;
  submit(deps, exec, write, () => quieten(deps, exec));
}
