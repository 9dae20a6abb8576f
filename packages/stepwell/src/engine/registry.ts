/**
 * Registry: which workflows this engine can execute, and which versions in the
 * store those may continue.
 */
import { StepwellError } from "../model/errors.ts";
import { canContinue, compareVersions, identityText } from "../model/identity.ts";
import type { Identity } from "../model/run.ts";
import type { NextDue, Store, Version } from "../store/store.ts";
import type { Workflow } from "./workflow.ts";

/** The workflows of one engine. */
export type Registry = {
  /** The newest registered version that may execute runs of `version`; null: none. */
  readonly findFor: (version: Version) => Workflow | null;
  /** Whether a registered version may execute runs of this one, as of the last refresh. */
  readonly executes: (versionId: number) => boolean;
  /** The newest registered version by name. */
  readonly findNewest: (namespace: string, name: string) => Workflow | null;
  /** Row of a version in the store, inserted on first use. */
  readonly versionIdOf: (identity: Identity) => number | Promise<number>;
  /** Whether the row of a version is known, so that nothing has to be asked or inserted. */
  readonly knows: (identity: Identity) => boolean;
  /** Rows of all versions that this engine may execute, as of the last refresh. */
  readonly claimable: () => readonly number[];
  /** The shortest `stuckAfter` that a workflow has of its own; Infinity: none has one. */
  readonly shortestStuckMs: () => number;
  /** Each registered workflow as `namespace/name@version`. */
  readonly offered: () => readonly string[];
  /** When the next run that may be executed here is due; versions that other processes have brought are learnt from it. */
  readonly nextDue: () => Promise<NextDue>;
  /** Look for versions that other processes have brought. */
  readonly refresh: () => Promise<void>;
};

/**
 * @param workflows as given by the user
 * @throws StepwellError WORKFLOW_DUPLICATE when two share namespace, name and version
 */
export function openRegistry(store: Store, workflows: readonly Workflow[]): Registry {
  const byName = groupByName(workflows);
  const versionIds = new Map<string, number>();
  let claimable: readonly number[] = [];
  let newestVersionId = 0;

  const byVersion = new Map<number, Workflow | null>();
  const findFor = (version: Version): Workflow | null => {
    const known = byVersion.get(version.versionId);
    if (known !== undefined) return known;
    const found = byName.get(nameKey(version))?.find((w) => canContinue(w.version, version.version)) ?? null;
    byVersion.set(version.versionId, found);
    return found;
  };
  const refresh = async (): Promise<void> => {
    const versions = await store.listVersions();
    for (const version of versions) versionIds.set(identityText(version), version.versionId);
    claimable = versions.filter((version) => findFor(version) !== null).map((version) => version.versionId);
    newestVersionId = Math.max(0, ...versions.map((version) => version.versionId));
  };
  const nextDue = async (): Promise<NextDue> => {
    const next = await store.nextDue(claimable, null);
    if (next.newestVersionId <= newestVersionId) return next;
    await refresh();
    return store.nextDue(claimable, null);
  };
  const ensure = async (identity: Identity): Promise<number> => {
    const { versionId } = await store.ensureVersion(identity);
    await refresh();
    return versionId;
  };
  return {
    findFor,
    executes: (versionId) => (byVersion.get(versionId) ?? null) !== null,
    findNewest: (namespace, name) => byName.get(nameKey({ namespace, name }))?.[0] ?? null,
    versionIdOf: (identity) => versionIds.get(identityText(identity)) ?? ensure(identity),
    knows: (identity) => versionIds.has(identityText(identity)),
    claimable: () => claimable,
    shortestStuckMs: () => Math.min(...workflows.map((workflow) => workflow.stuckAfterMs ?? Infinity)),
    offered: () => workflows.map(identityText),
    nextDue,
    refresh,
  };
}

/** Versions of each name, newest first. */
function groupByName(workflows: readonly Workflow[]): Map<string, Workflow[]> {
  const byName = new Map<string, Workflow[]>();
  for (const workflow of workflows) {
    const versions = byName.get(nameKey(workflow)) ?? [];
    if (versions.some((known) => known.version === workflow.version)) {
      throw new StepwellError("WORKFLOW_DUPLICATE", `${identityText(workflow)} is registered twice.`);
    }
    versions.push(workflow);
    byName.set(nameKey(workflow), versions);
  }
  for (const versions of byName.values()) versions.sort((a, b) => compareVersions(b.version, a.version));
  return byName;
}

function nameKey(identity: { readonly namespace: string; readonly name: string }): string {
  return `${identity.namespace}/${identity.name}`;
}
