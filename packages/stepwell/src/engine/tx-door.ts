/**
 * Tx door: the handle that the code of a transaction is given, and what it must not do meanwhile.
 *
 * The code stands at a place of its own (host.ts), by which calls of the engine that are made inside it are recognised:
 * they would not be part of the transaction, and on SQLite they would wait for it while it waits for them.
 */
import { StepwellError } from "../model/errors.ts";
import { parseDuration } from "../model/duration.ts";
import { checkKeys } from "../model/options.ts";
import type { TxDoor } from "../store/tx.ts";
import { whyNot } from "./commit.ts";
import type { Deps } from "./deps.ts";
import { checkSameInput, prepareRun } from "./submit.ts";
import type { Tx, TxStartOptions, Workflow } from "./workflow.ts";

/**
 * Longest time that the code of a transaction may take: on SQLite nobody else can write meanwhile, and on PostgreSQL what
 * it has locked is locked for others. Well below any lease.
 */
export const TX_MS_MAX = 1_000;

/** What loses to another transaction is tried again at once, so often; then it counts as a failure. */
export const TX_CONFLICTS_MAX = 3;

/** A handle while its transaction is open. */
export type OpenTx = {
  readonly tx: Tx;
  /** The handle is dead from now on. */
  readonly close: () => void;
  /** Runs were inserted. */
  readonly started: () => boolean;
};

/** A handle on an open transaction. `where` names it in errors. */
export function openTx(deps: Deps, door: TxDoor, where: string): OpenTx {
  let over = false;
  let started = false;
  const check = (): void => {
    if (over) throw new StepwellError("TX_OVER", `${where} has ended.`);
  };
  const tx: Tx = {
    query: (async (sql: string, params: readonly unknown[] = []) => {
      check();
      return door.query(sql, params);
    }) as Tx["query"],
    execute: async (sql, params = []) => {
      check();
      return door.execute(sql, params);
    },
    start: async (workflow: Workflow, input?: unknown, options: TxStartOptions = {}) => {
      check();
      const ready = prepare(deps, workflow, input, options);
      const prepared = ready instanceof Promise ? await ready : ready;
      check();
      const result = await door.insertRun({ kind: "insert_run", run: prepared.run, claimFor: null, owner: null });
      if (result.kind === "exists") checkSameInput(prepared, result.run);
      else if (result.kind === "inserted") started = true;
      else throw whyNot(result, "tx.start");
      return { workflow: `${workflow.namespace}/${workflow.name}`, id: prepared.run.id };
    },
  };
  return { tx, close: () => void (over = true), started: () => started };
}

/** Only of a version whose row is there: to insert one is a transaction of its own. */
function prepare(deps: Deps, workflow: Workflow, input: unknown, options: TxStartOptions) {
  checkKeys("options of tx.start", options, ["id", "actor", "timeout"]);
  const { id = null, actor = deps.settings.actor, timeout } = options;
  if (!deps.registry.knows(workflow)) {
    const { namespace, name, version } = workflow;
    const what = `tx.start: "${namespace}/${name}@${version}" is not registered here.`;
    throw new StepwellError("WORKFLOW_NOT_REGISTERED", what);
  }
  const timeoutMs = timeout === undefined ? null : parseDuration(timeout, "timeout of tx.start");
  return prepareRun(deps, workflow, input, { id, hashed: true, actor, parent: null, timeoutMs });
}

/** @throws StepwellError TX_NESTED when the caller's code stands in an open transaction */
export function checkOutsideTx(deps: Deps, call: string): void {
  if (deps.openTxs.size === 0) return;
  const place = deps.host.currentStep();
  if (place === undefined || !deps.openTxs.has(place)) return;
  throw new StepwellError("TX_NESTED", `${call} was called inside a transaction (${place}).`);
}
