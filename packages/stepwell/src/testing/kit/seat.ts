/**
 * Seat: where the living process sits. When it crashes, the next one takes its place on
 * the same store, and what outsiders had asked the dead one is asked again.
 */
import type { Approvals } from "../../engine/approvals.ts";
import type { Engine } from "../../engine/engine.ts";
import type { RunHandle, SignalOptions } from "../../engine/handle.ts";
import type { EngineOptions } from "../../engine/settings.ts";
import type { Signal } from "../../engine/signal.ts";
import type { Process } from "./process.ts";
import type { World } from "./world.ts";

/** See the header. */
export type Seat = {
  readonly world: World;
  /** Of the next process too. */
  options: EngineOptions;
  process: Process;
  /** Resolves when the newest process is open. */
  opening: Promise<Process>;
};

/** Open the first process. */
export async function openSeat(world: World, options: EngineOptions): Promise<Seat> {
  const opening = world.open({ engine: options });
  return { world, options, process: await opening, opening };
}

/** Open the next process, in place of one that has ended. */
export function reopen(seat: Seat, options: EngineOptions = seat.options): Promise<Process> {
  seat.options = options;
  const opening = seat.world.open({ engine: options }).then((process) => (seat.process = process));
  seat.opening = opening;
  // Whoever asks next hears of a failure; until then it is nobody's unhandled rejection.
  opening.catch(() => {});
  return opening;
}

/** Ask the living process, and its successor again if it crashes before it has answered. */
export async function ask<T>(seat: Seat, question: (engine: Engine) => Promise<T>): Promise<T> {
  for (;;) {
    const process = await seat.opening;
    const crashed = process.crashed.then(() => CRASHED);
    const answer = await Promise.race([question(process.engine), crashed]);
    if (answer !== CRASHED) return answer as T;
  }
}

const CRASHED = Symbol("stepwell.crashed");

/** `engine.approvals`, outliving crashes: a decision that a crash left unanswered is sent again under its id. */
export function lastingApprovals(seat: Seat): Approvals {
  const once = <A extends { readonly id?: string }>(answer: A): A => ({
    ...answer,
    id: answer.id ?? seat.world.freshId(),
  });
  return {
    list: (filter) => ask(seat, ({ approvals }) => approvals.list(filter)),
    get: (ref) => ask(seat, ({ approvals }) => approvals.get(ref)),
    approve: (ref, answer) => {
      const sent = once(answer);
      return ask(seat, ({ approvals }) => approvals.approve(ref, sent));
    },
    refuse: (ref, answer) => {
      const sent = once(answer);
      return ask(seat, ({ approvals }) => approvals.refuse(ref, sent));
    },
  };
}

/** A handle that outlives crashes. */
export function lastingHandle<Output>(seat: Seat, workflow: string, id: string): RunHandle<Output> {
  const again = <T>(question: (run: RunHandle<Output>) => Promise<T>): Promise<T> =>
    ask(seat, async (engine) => question((await engine.get(workflow, id)) as RunHandle<Output>));
  const named = <O extends { readonly id?: string }>(options: O) => ({
    ...options,
    id: options.id ?? seat.world.freshId(),
  });
  return {
    id,
    workflow,
    result: () => again((run) => run.result()),
    outcome: () => again((run) => run.outcome()),
    status: () => again((run) => run.status()),
    history: () => again((run) => run.history()),
    // Sent again under the same id, it arrives once.
    signal: ((signal: Signal, payload: unknown, options: SignalOptions = {}) => {
      const once = named(options);
      return again((run) => run.signal(signal, payload, once));
    }) as RunHandle["signal"],
    cancel: (options) => again((run) => run.cancel(options)),
    pause: (options = {}) => {
      const once = named(options);
      return again((run) => run.pause(once));
    },
    // The first time a run that is not paused is told; afterwards it may have been resumed by that very request.
    resume: (options = {}) => {
      let wanted = options;
      return again((run) => {
        const asked = run.resume(wanted);
        wanted = named(wanted);
        return asked;
      });
    },
    retry: (options = {}) => {
      const once = named(options);
      return again((run) => run.retry(once));
    },
    fork: async (options = {}) => {
      const once = named(options);
      await again((run) => run.fork(once));
      return lastingHandle<Output>(seat, workflow, once.id);
    },
    resolve: (step, value, options = {}) => {
      const once = named(options);
      return again((run) => run.resolve(step, value, once));
    },
  };
}
