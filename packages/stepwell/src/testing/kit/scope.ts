/**
 * Scope: whose code is running. Fakes of services find the clock and the process of
 * their caller here, so that nothing has to be wired, and tests that run side by side
 * do not see each other.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { Write } from "../../store/write.ts";
import type { Deed } from "./activity.ts";

/** A moment at which a process can be killed. */
export type KillPoint =
  | { readonly kind: "flush"; readonly when: "before" | "after"; readonly writes: readonly Write[] }
  /** A fake service has done what it was asked, and has not answered yet. */
  | { readonly kind: "effect"; readonly service: string };

/** The process whose body or step calls. */
export type Caller = {
  readonly nowMs: () => number;
  /** By the virtual clock; never fires once the process is dead. */
  readonly timer: (ms: number, task: () => void) => () => void;
  readonly alive: () => boolean;
  /** The process may be killed here. */
  readonly reach: (point: KillPoint) => void;
  /** The step; null: the code of a body. */
  readonly code: Deed | null;
};

const scope = new AsyncLocalStorage<Caller>();

/** Run code of a process. */
export function asCaller<T>(caller: Caller, work: () => T): T {
  return scope.run(caller, work);
}

/** Who calls; undefined outside of workflows. */
export function findCaller(): Caller | undefined {
  return scope.getStore();
}

/** What a call of a dead process gets: nothing, ever. */
export function never(): Promise<never> {
  return new Promise(() => {});
}

/** Wait by the virtual clock. Rejects with the reason of `signal` when that fires first. `ms` null: until then. */
export function sleepFor(caller: Caller, ms: number | null, signal: AbortSignal | undefined): Promise<void> {
  const { code } = caller;
  return new Promise((resolve, reject) => {
    const awake = (settle: () => void): void => {
      cancel();
      signal?.removeEventListener("abort", onAbort);
      if (code !== null) code.sleeping -= 1;
      settle();
    };
    const onAbort = (): void => awake(() => reject(signal?.reason as unknown));
    if (code !== null) code.sleeping += 1;
    const cancel = ms === null ? () => {} : caller.timer(ms, () => awake(resolve));
    if (signal?.aborted === true) onAbort();
    else signal?.addEventListener("abort", onAbort);
  });
}
