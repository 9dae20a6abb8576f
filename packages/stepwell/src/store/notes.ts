/**
 * Notes: what a store itself writes about a run into its history, and into its error; the same words in every database.
 */
import { StepwellError } from "../model/errors.ts";
import { failureText, parseFailure, toFailure } from "../model/failure.ts";
import type { NoteKind } from "../model/history.ts";
import type { Transition } from "../model/transition.ts";

/** A note without its place in the history. */
export type Note = { readonly kind: NoteKind; readonly value: string };

/** What a transition leaves in the history; null: its run's row tells it. */
export function transitionNote(transition: Transition): Note | null {
  switch (transition.kind) {
    case "compensate":
      return { kind: "compensating", value: errorNote(transition.error) };
    case "pause":
      return { kind: "paused", value: errorNote(transition.error) };
    case "hold":
      return { kind: "held", value: "null" };
    case "release":
      return RELEASED_NOTE;
    case "complete":
    case "fail":
    case "cancel":
    case "park":
      return null;
  }
}

/** Somebody gave the run up in good order. */
export const RELEASED_NOTE: Note = { kind: "released", value: "null" };

/** The run was taken from a worker that died. */
export function takeoverNote(workerId: number): Note {
  const message = `worker ${workerId} died while it held the run`;
  return { kind: "takeover", value: JSON.stringify({ error: { name: "WorkerDied", message, retryable: true } }) };
}

/** The run is set aside; `error` is what quarantineError gave. */
export function quarantineNote(error: string): Note {
  return { kind: "quarantined", value: errorNote(error) };
}

/**
 * Why a run is set aside, as a stored Failure. What it was failing with, while it compensated, stays as the cause. Its
 * stack is its header alone: where the store was when it noticed explains nothing.
 *
 * @param run as the last worker that died held it
 */
export function quarantineError(run: { readonly crashes: number; readonly error: string | null }): string {
  const what = `${run.crashes + 1} workers in a row died while they executed it, the last one while it ran alone.`;
  const failure = toFailure(new StepwellError("RUN_QUARANTINED", what));
  const stack = `${failure.name}: ${failure.message}`;
  const cause = run.error === null ? {} : { cause: parseFailure(run.error) };
  return failureText({ ...failure, retryable: false, stack, ...cause });
}

/** `error` is JSON already. */
function errorNote(error: string): string {
  return `{"error":${error}}`;
}
