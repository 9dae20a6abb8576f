/**
 * Race: the first of several to end decides, and that is a checkpoint of its own. What
 * lost is given up before it, in the same flush: a replay neither runs a loser again nor
 * waits for one. Losers that are no ctx calls cannot be stopped: they go on unheard.
 */
import { encode } from "../model/json.ts";
import { StepwellError } from "../model/errors.ts";
import { type Failure, failureText, toFailure } from "../model/failure.ts";
import { configOf } from "./chain.ts";
import type { Deps } from "./deps.ts";
import { isGone } from "./execution.ts";
import { giveUpChain } from "./give-up.ts";
import { holdCall } from "./idle.ts";
import { type Call, type CallEnd, endCall, isGivenUp } from "./steps.ts";

/** What races: calls of ctx, or any promises, by name. */
export type Contenders = Readonly<Record<string, PromiseLike<unknown>>>;

type Finish =
  | { readonly ok: true; readonly winner: string; readonly value: unknown }
  | { readonly ok: false; readonly winner: string; readonly error: unknown };

/**
 * Check what races, and keep a loser that fails from ending the process.
 *
 * @throws StepwellError OPTION_INVALID when nothing does
 */
export function checkContenders(name: string, contenders: Contenders): void {
  if (typeof contenders !== "object" || contenders === null || Array.isArray(contenders)) {
    throw new StepwellError("OPTION_INVALID", `race "${name}" needs an object: a name for each contender.`);
  }
  if (Object.keys(contenders).length === 0) {
    throw new StepwellError("OPTION_INVALID", `race "${name}" has no contenders and would never end.`);
  }
  for (const contender of Object.values(contenders)) Promise.resolve(contender).catch(() => {});
}

/** What `ctx.race` does; see its type. */
export function performRace(contenders: Contenders): Call["perform"] {
  return (deps, call) => {
    call.config.giveUp = (reason) => giveUpAll(deps, call, contenders, reason);
    let decided = false;
    const finish = (finished: Finish): void => {
      if (decided || isEcho(call, finished)) return;
      decided = true;
      decide(deps, call, contenders, finished);
    };
    for (const [winner, contender] of Object.entries(contenders)) {
      Promise.resolve(contender).then(
        (value) => finish({ ok: true, winner, value }),
        (error: unknown) => finish({ ok: false, winner, error }),
      );
    }
  };
}

/** A loser of this very race, decided by an execution that ended before its checkpoint was stored. */
function isEcho(call: Call, finish: Finish): boolean {
  if (finish.ok || !(finish.error instanceof StepwellError)) return false;
  return finish.error.code === "RACE_LOST" && finish.error.details["race"] === call.key;
}

/** A parked run is taken back first: a contender that is no ctx call may come in at any time. */
function decide(deps: Deps, call: Call, contenders: Contenders, finish: Finish): void {
  const { exec, key } = call;
  if (isGone(exec) || exec.closed || exec.cancel !== null || isGivenUp(call)) return;
  if (exec.phase !== "running") {
    return holdCall(deps, exec, { call, begin: () => decide(deps, call, contenders, finish) });
  }
  const end = endOf(deps, finish);
  const what = `"${finish.winner}" came first in race "${key}".`;
  giveUpAll(deps, call, contenders, new StepwellError("RACE_LOST", what, { details: { race: key } }));
  endCall(deps, call, end);
}

/** In the order in which they are written down; the winner has ended already. */
function giveUpAll(deps: Deps, call: Call, contenders: Contenders, reason: StepwellError): void {
  for (const contender of Object.values(contenders)) {
    const config = configOf(contender);
    if (config !== null) giveUpChain(deps, call.exec, config, reason);
  }
}

/** A value that cannot be stored fails the race. */
function endOf(deps: Deps, finish: Finish): CallEnd {
  if (!finish.ok) return failed(toFailure(finish.error));
  try {
    const { winner, value } = finish;
    return { outcome: "completed", ...encode({ winner, value }, deps.settings.limits), attempt: 1, durationMs: 0 };
  } catch (error) {
    return failed(toFailure(error));
  }
}

function failed(failure: Failure): CallEnd {
  return { outcome: "failed", text: failureText(failure), value: failure, attempt: 1, durationMs: 0 };
}
