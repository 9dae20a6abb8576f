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
  /** The highest id of a worker, as a renewal tells it: somebody may have come. */
  readonly meet: (newestWorkerId: number) => void;
  readonly stop: () => void;
};

const LOOK_MS = 250;

type Parts = Pick<Deps, "host" | "store" | "log">;

type State = {
  list: readonly WorkerRow[];
  newestId: number;
  outdated: boolean;
  planned: boolean;
  stopped: boolean;
  cancel: () => void;
};

/** Begin to look. @param takeOver called when the process of a neighbour has ended */
export function openNeighbours(parts: Parts, takeOver: () => Promise<void>): Neighbours {
  const state: State = { list: [], newestId: 0, outdated: true, planned: false, stopped: false, cancel: () => {} };
  const look = (): void => {
    state.planned = false;
    void lookOnce(parts, state, takeOver).then(plan);
  };
  const plan = (): void => {
    if (state.stopped || state.planned || (state.list.length === 0 && !state.outdated)) return;
    state.planned = true;
    state.cancel = parts.host.upkeep(LOOK_MS, look);
  };
  const unwatch = parts.store.watch((change) => {
    if (!change.workers) return;
    state.outdated = true;
    plan();
  });
  plan();
  return {
    know: (workers) => {
      learn(parts, state, workers);
      plan();
    },
    meet: (newestWorkerId) => {
      if (newestWorkerId <= state.newestId) return;
      state.outdated = true;
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
      learn(parts, state, await parts.store.listWorkers(null));
    }
    if (!state.stopped && state.list.some(parts.host.isGone)) await takeOver();
  } catch (error) {
    state.outdated = true;
    parts.log?.({ level: "warn", message: `dead workers could not be looked for: ${String(error)}` });
  }
}

/** A dead worker that has the highest id and retires may be met again; that costs one look. */
function learn(parts: Parts, state: State, workers: readonly WorkerRow[]): void {
  state.list = neighboursAmong(parts, workers);
  state.newestId = workers.at(-1)?.workerId ?? 0;
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
