/**
 * Engine tx: `engine.tx`, a transaction of the user's outside of any run. What it starts exists if and only if it commits.
 */
import { StepwellError } from "../model/errors.ts";
import type { TxVerdict } from "../store/tx.ts";
import type { Deps } from "./deps.ts";
import { checkOutsideTx, type OpenTx, openTx, TX_CONFLICTS_MAX, TX_MS_MAX } from "./tx-door.ts";
import type { Tx } from "./workflow.ts";

type Came = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: unknown };

/**
 * Carry out `work` in one transaction; its value, once that is durable.
 *
 * @throws what `work` throws; TX_NESTED, TX_TIMEOUT, TX_BROKEN; a store's error: nothing of it was kept, or, for
 *   STORE_OUTCOME_UNKNOWN, nobody knows
 */
export async function runTx(deps: Deps, work: (tx: Tx) => unknown): Promise<unknown> {
  checkOutsideTx(deps, "engine.tx");
  for (let conflicts = 0; ; conflicts += 1) {
    let came: Came = { ok: false, error: null };
    let started = false;
    const answer = await deps.store.transact(
      { owner: null, doubt: null, limitMs: TX_MS_MAX, nowMs: null },
      async (door): Promise<TxVerdict> => {
        const open = openTx(deps, door, "engine.tx");
        came = await runCode(deps, open, work);
        started = open.started();
        return came.ok ? { commit: true, checkpoint: null } : { commit: false };
      },
    );
    if (answer.kind === "conflict" && conflicts < TX_CONFLICTS_MAX) continue;
    if (answer.kind === "committed" && started) deps.worker.nudge();
    return outcomeOf(came, answer.kind === "committed" ? null : answer);
  }
}

function outcomeOf(came: Came, lost: { readonly kind: string; readonly error?: unknown } | null): unknown {
  if (!came.ok) throw came.error;
  if (lost !== null) throw lost.error;
  return came.value;
}

async function runCode(deps: Deps, open: OpenTx, work: (tx: Tx) => unknown): Promise<Came> {
  const name = `engine.tx ${deps.host.freshId()}`;
  deps.openTxs.add(name);
  try {
    const place = { kind: "step", name } as const;
    return {
      ok: true,
      value: await inTime(
        deps,
        deps.host.inside(place, async () => work(open.tx)),
      ),
    };
  } catch (error) {
    return { ok: false, error };
  } finally {
    deps.openTxs.delete(name);
    open.close();
  }
}

function inTime(deps: Deps, outcome: Promise<unknown>): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const what = `engine.tx took longer than ${TX_MS_MAX} ms.`;
    const details = { timeoutMs: TX_MS_MAX };
    const cancel = deps.host.timer(TX_MS_MAX, () => reject(new StepwellError("TX_TIMEOUT", what, { details })));
    outcome.then(resolve, reject).finally(cancel);
  });
}
