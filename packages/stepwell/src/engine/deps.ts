/**
 * Deps: what the engine's functions are handed first. Made once by `openEngineOn`, frozen, passed on.
 */
import type { InboxItem } from "../model/inbox.ts";
import type { Claim, Store } from "../store/store.ts";
import type { Committer } from "./commit.ts";
import type { Elsewhere } from "./elsewhere.ts";
import type { Host } from "./host.ts";
import type { Registry } from "./registry.ts";
import type { LogEntry, Settings } from "./settings.ts";
import type { Verdicts } from "./verdicts.ts";
import type { Watchers } from "./watch.ts";

/** What the hot path asks of the local worker; an engine that does not work answers no to everything. */
export type WorkerDoor = {
  /** Take a slot for a run that is about to be inserted: the id to claim it for; null: no slot, or older runs wait. */
  readonly reserve: () => number | null;
  readonly unreserve: () => void;
  /** Execute a run that was inserted into a reserved slot. `input` is its decoded input, for its body to keep. */
  readonly begin: (claim: Claim, input: unknown) => void;
  readonly executes: (rowId: number) => boolean;
  /** A run that was on probation has stored a checkpoint: others may be taken beside it. */
  readonly proved: (rowId: number) => void;
  /** Something may have become due: claim soon. */
  readonly nudge: () => void;
  /** An inbox item was stored for a run: hand it over if the run is executed here, or have it claimed. */
  readonly receive: (posted: { readonly rowId: number; readonly item: InboxItem; readonly claimable: boolean }) => void;
  /** Changes when the worker was declared dead and registered anew; null: this engine does not work. */
  readonly workerId: () => number | null;
  /** False when the lease may have lapsed: then no step starts until it is renewed. */
  readonly leaseHeld: () => boolean;
  readonly leaseRenewed: () => Promise<void>;
};

/** The engine's parts. */
export type Deps = {
  readonly host: Host;
  readonly store: Store;
  readonly settings: Settings;
  readonly committer: Committer;
  readonly registry: Registry;
  readonly watchers: Watchers;
  readonly elsewhere: Elsewhere;
  readonly verdicts: Verdicts;
  readonly worker: WorkerDoor;
  /** Names of the places whose code stands in an open transaction, see tx-door.ts. */
  readonly openTxs: Set<string>;
  /** Null by default: off is free. */
  readonly log: ((entry: LogEntry) => void) | null;
};
