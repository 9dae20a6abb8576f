/**
 * Waits: what a run waits for just now, also when the wait is so short that the run stays
 * in memory and its status does not show it.
 */
import type { DecodedEvent, RunStatus } from "../../engine/handle.ts";
import type { Wait } from "../../model/run.ts";

/** All waits of a run that have begun and not ended. */
export function openWaits(status: RunStatus, history: readonly DecodedEvent[]): readonly Wait[] {
  if (status.waitingFor.length > 0) return status.waitingFor;
  if (status.endedAtMs !== null) return [];
  const waits = new Map<string, Wait>();
  for (const event of history) {
    if (event.kind === "step") waits.delete(event.key);
    if (event.kind === "attempt_failed") waits.set(event.key, retryOf(event));
    if (event.kind === "wait_began") waits.set(event.key, waitOf(event));
  }
  return [...waits.values()];
}

function retryOf({ key, dueAtMs }: Extract<DecodedEvent, { kind: "attempt_failed" }>): Wait {
  return { kind: "retry", key, name: key, dueAtMs };
}

/** The key of a wait for a signal is `@wait/NAME/n`. */
function waitOf({ key, step, dueAtMs }: Extract<DecodedEvent, { kind: "wait_began" }>): Wait {
  const signal = /^@wait\/(.*)\/[^/]+$/.exec(key)?.[1];
  if (step === "signal" && signal !== undefined) return { kind: "signal", key, name: signal, dueAtMs };
  return { kind: step === "approval" ? "approval" : "timer", key, name: key, dueAtMs };
}
