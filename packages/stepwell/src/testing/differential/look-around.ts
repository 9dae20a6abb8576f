/**
 * Looking around: everything that the port shows, as operations that change nothing.
 */
import { APPROVAL_STATES } from "../../model/approval.ts";
import type { RunRef } from "../../store/write.ts";
import { APPROVAL_KEYS } from "./draw-approval.ts";
import { type Look, runName } from "./operation.ts";

/** What there may be to see, and when it is looked at. */
export type Known = {
  readonly nowMs: number;
  readonly refs: readonly RunRef[];
  /** Their names. */
  readonly workers: readonly string[];
};

/** Attributes that runs may have, as filters spell them. */
export const WANTED: readonly { readonly [name: string]: string }[] = [
  { region: '"eu"' },
  { size: "1", region: '"us"' },
  { size: '"1"' },
  { express: "true", région: '"é"' },
  { region: '"nowhere"' },
];

/** In an order in which the sooner tells more. */
export function lookAround({ nowMs, refs, workers }: Known): readonly Look[] {
  const rowIds = refs.map(runName);
  return [
    { call: "listVersions" },
    { call: "listWorkers", nowMs },
    { call: "listRuns", filter: { limit: 1_000 } },
    ...rowIds.flatMap((rowId) => [
      { call: "loadMemory" as const, rowId },
      { call: "listHistory" as const, rowId },
      { call: "listActiveSteps" as const, rowId },
      { call: "listChildren" as const, rowId },
    ]),
    ...refs.flatMap((ref) => APPROVAL_KEYS.map((key) => ({ call: "findApproval" as const, ref, key }))),
    ...APPROVAL_STATES.map((state) => ({ call: "listApprovals" as const, filter: { state, limit: 1_000 } })),
    { call: "listApprovals", filter: { state: "open", to: ["kim"], limit: 1_000 } },
    { call: "listEnded", rowIds },
    { call: "listRemarks", rowIds },
    { call: "listOldestDue", nowMs },
    { call: "listBreakers", page: { afterName: "", limit: 1_000 }, nowMs },
    ...WANTED.map((attributes) => ({ call: "listRuns" as const, filter: { attributes, limit: 1_000 } })),
    ...workers.map((workerId) => ({ call: "listHeldRuns" as const, workerId })),
  ];
}
