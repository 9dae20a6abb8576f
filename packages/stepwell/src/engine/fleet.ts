/**
 * Fleet: the workers of a store as people see them, and runs that none of them can execute.
 */
import { canContinue, identityText } from "../model/identity.ts";
import type { Run, Wait } from "../model/run.ts";
import type { WorkerRow } from "../store/store.ts";
import type { Deps } from "./deps.ts";

/** One process that executes runs, or did until it died. */
export type WorkerInfo = {
  /** Fresh with every start of a process. */
  readonly id: number;
  /** As `work: { name }` says, else `host:pid`. */
  readonly name: string;
  readonly host: string;
  readonly pid: number;
  /** `lapsed`: not heard of for longer than its lease; `dead`: given up. Both are taken over from. */
  readonly state: "alive" | "lapsed" | "dead";
  /** What it can execute: `namespace/name@version`. */
  readonly workflows: readonly string[];
  /** Runs it executes side by side at most. */
  readonly concurrency: number;
  /** Runs it executed when it was last seen. */
  readonly executing: number;
  /** Epoch milliseconds by the store's clock, as the next one. */
  readonly startedAtMs: number;
  /** When it last renewed its lease. */
  readonly seenAtMs: number;
};

/** All workers of the store, in the order they came. */
export async function listFleet({ store }: Pick<Deps, "store">): Promise<readonly WorkerInfo[]> {
  return (await store.listWorkers(null)).map(toInfo);
}

/** What a run waits for; one that is due, and that no living worker can execute, waits for a worker. */
export async function waitsOf({ store }: Pick<Deps, "store">, run: Run): Promise<readonly Wait[]> {
  if (run.dueAtMs === null || run.waitingFor.length > 0) return run.waitingFor;
  const workers = (await store.listWorkers(null)).map(toInfo);
  const served = workers.some(
    ({ state, workflows }) => state === "alive" && workflows.some((offered) => serves(offered, run)),
  );
  return served ? [] : [{ kind: "worker", key: "", name: identityText(run), dueAtMs: null }];
}

function serves(offered: string, run: Run): boolean {
  const at = offered.lastIndexOf("@");
  return offered.slice(0, at) === `${run.namespace}/${run.name}` && canContinue(offered.slice(at + 1), run.version);
}

function toInfo(row: WorkerRow): WorkerInfo {
  const { workerId: id, name, host, pid, workflows, concurrency, executing, startedAtMs, seenAtMs } = row;
  const state = row.state === "dead" ? "dead" : row.leaseLeftMs > 0 ? "alive" : "lapsed";
  return { id, name, host, pid, state, workflows, concurrency, executing, startedAtMs, seenAtMs };
}
