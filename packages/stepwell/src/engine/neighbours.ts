/**
 * Neighbours: the other workers on this machine, and whether one's process has ended.
 *
 * Every quarter of a second the operating system is asked, not the store: that is asked for the list again only when
 * others have committed meanwhile, since a worker that comes is a commit. Without neighbours nobody looks.
 */
import type { WorkerRow } from "../store/store.ts";
import type { Deps } from "./deps.ts";

/** See the header. */
export type Neighbours = {
  /** The registry, read just now. */
  readonly know: (workers: readonly WorkerRow[]) => void;
  readonly stop: () => void;
};

const LOOK_MS = 250;

type Parts = Pick<Deps, "host" | "store" | "log">;

type State = { list: readonly WorkerRow[]; outdated: boolean; planned: boolean; stopped: boolean; cancel: () => void };

/** Begin to look. @param takeOver called when the process of a neighbour has ended */
export function openNeighbours(parts: Parts, takeOver: () => Promise<void>): Neighbours {
  const state: State = { list: [], outdated: true, planned: false, stopped: false, cancel: () => {} };
  const look = (): void => {
    state.planned = false;
    void lookOnce(parts, state, takeOver).then(plan);
  };
  const plan = (): void => {
    if (state.stopped || state.planned || (state.list.length === 0 && !state.outdated)) return;
    state.planned = true;
    state.cancel = parts.host.upkeep(LOOK_MS, look);
  };
  const unwatch = parts.store.watch(() => {
    state.outdated = true;
    plan();
  });
  plan();
  return {
    know: (workers) => {
      state.list = neighboursAmong(parts, workers);
      plan();
    },
    stop: () => {
      state.stopped = true;
      state.cancel();
      unwatch();
    },
  };
}

async function lookOnce(parts: Parts, state: State, takeOver: () => Promise<void>): Promise<void> {
  try {
    if (state.outdated) {
      state.outdated = false;
      state.list = neighboursAmong(parts, await parts.store.listWorkers());
    }
    if (!state.stopped && state.list.some(parts.host.isGone)) await takeOver();
  } catch (error) {
    state.outdated = true;
    parts.log?.({ level: "warn", message: `dead workers could not be looked for: ${String(error)}` });
  }
}

/** Living ones that the host can see; none where it cannot even tell which machine this is. */
function neighboursAmong({ host }: Parts, workers: readonly WorkerRow[]): readonly WorkerRow[] {
  const here = host.describeProcess();
  return workers.filter(
    ({ state, bootId, pidNamespace, pid }) =>
      state === "alive" &&
      bootId !== "" &&
      bootId === here.bootId &&
      pidNamespace === here.pidNamespace &&
      pid !== here.pid,
  );
}
