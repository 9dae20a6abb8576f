/**
 * Disk image: a model of a disk with a volatile cache, fed with what a process did, and the files that may be found on
 * it after the power failed at that moment.
 *
 * What was synced is there. What was written since is there, or not, or in part: in pages of 4 KiB or sectors of 512
 * bytes, of which each may be missing while later ones are there. Names that were made or removed since their folder
 * was synced may be so or not, but keep their order, as on a journaling file system.
 */
import type { Dice } from "../../packages/stepwell/src/model/dice.ts";
import type { DiskEvent } from "./disk-trace.ts";

/** What the cache kept of the un-synced writes when the power failed. */
export const REMAINS = ["nothing", "pages", "sectors", "everything"] as const;

/** See {@link REMAINS}. */
export type Remains = (typeof REMAINS)[number];

/** A disk that is being written to. */
export type Disk = {
  readonly apply: (event: DiskEvent) => void;
  /** The files after a power failure now. Does not change the disk. */
  readonly crash: (remains: Remains, dice: Dice) => ReadonlyMap<string, Buffer>;
  /** Bytes written and not yet synced. */
  readonly unsynced: () => number;
};

type Pending = { readonly offset: number; readonly data: Buffer } | { readonly length: number };
type Inode = { durable: Buffer; written: Buffer; pending: Pending[] };
type NameChange = { readonly name: string; readonly inode: Inode | null };
type State = { names: Map<string, Inode>; durableNames: Map<string, Inode>; changes: NameChange[] };

/** An empty disk. `folder` is the name under which its folder is synced. */
export function openDisk(folder: string): Disk {
  const state: State = { names: new Map(), durableNames: new Map(), changes: [] };
  return {
    apply: (event) => applyEvent(state, event, folder),
    crash: (remains, dice) => crash(state, remains, dice),
    unsynced: () => {
      const pending = [...state.names.values()].flatMap((inode) => inode.pending);
      return pending.reduce((sum, change) => sum + ("data" in change ? change.data.length : 0), 0);
    },
  };
}

function applyEvent(state: State, event: DiskEvent, folder: string): void {
  switch (event.kind) {
    case "open": {
      if (event.name === folder) return;
      const known = state.names.get(event.name);
      if (known === undefined && event.create) setName(state, event.name, newInode());
      if (known !== undefined && event.truncate) change(known, { length: 0 });
      return;
    }
    case "write": {
      const inode = inodeOf(state, event.name);
      return change(inode, { offset: event.offset ?? inode.written.length, data: event.data });
    }
    case "truncate":
      return change(inodeOf(state, event.name), { length: event.length });
    case "sync":
      return event.name === folder ? syncNames(state) : syncInode(inodeOf(state, event.name));
    case "unlink":
      return setName(state, event.name, null);
    case "rename":
      setName(state, event.to, inodeOf(state, event.name));
      return setName(state, event.name, null);
  }
}

function newInode(): Inode {
  return { durable: Buffer.alloc(0), written: Buffer.alloc(0), pending: [] };
}

function inodeOf(state: State, name: string): Inode {
  const inode = state.names.get(name);
  if (inode === undefined) throw new Error(`the trace uses "${name}", which it never made`);
  return inode;
}

function setName(state: State, name: string, inode: Inode | null): void {
  if (inode === null) state.names.delete(name);
  else state.names.set(name, inode);
  state.changes.push({ name, inode });
}

function syncNames(state: State): void {
  state.durableNames = new Map(state.names);
  state.changes = [];
}

function syncInode(inode: Inode): void {
  inode.durable = Buffer.from(inode.written);
  inode.pending = [];
}

function change(inode: Inode, pending: Pending): void {
  inode.pending.push(pending);
  inode.written = changed(inode.written, pending);
}

/** In place where the file is long enough. */
function changed(bytes: Buffer, pending: Pending): Buffer {
  if ("length" in pending) return resized(bytes, pending.length);
  const end = pending.offset + pending.data.length;
  const long = bytes.length >= end ? bytes : resized(bytes, end);
  pending.data.copy(long, pending.offset);
  return long;
}

function resized(bytes: Buffer, length: number): Buffer {
  if (length <= bytes.length) return bytes.subarray(0, length);
  const longer = Buffer.alloc(length);
  bytes.copy(longer);
  return longer;
}

function crash(state: State, remains: Remains, dice: Dice): ReadonlyMap<string, Buffer> {
  const kept = { nothing: 0, pages: null, sectors: null, everything: state.changes.length }[remains];
  const names = new Map(state.durableNames);
  for (const { name, inode } of state.changes.slice(0, kept ?? dice.integer(state.changes.length + 1))) {
    if (inode === null) names.delete(name);
    else names.set(name, inode);
  }
  return new Map([...names].map(([name, inode]) => [name, contentsOf(inode, remains, dice)]));
}

/** How much of a write reaches the disk as a whole. */
const PIECE_BYTES: Readonly<Record<Remains, number>> = { nothing: 0, pages: 4_096, sectors: 512, everything: 0 };

function contentsOf({ durable, written, pending }: Inode, remains: Remains, dice: Dice): Buffer {
  if (remains === "nothing" || remains === "everything") return remains === "nothing" ? durable : written;
  // One crash loses much, another little.
  const chance = dice.integer(100);
  let bytes: Buffer = Buffer.from(durable);
  for (const one of pending.flatMap((whole) => piecesOf(whole, PIECE_BYTES[remains]))) {
    if (dice.integer(100) < chance) bytes = changed(bytes, one);
  }
  return bytes;
}

/** A write in the pieces that its device writes at once, at their places on the device. */
function piecesOf(pending: Pending, pieceBytes: number): readonly Pending[] {
  if ("length" in pending) return [pending];
  const pieces: Pending[] = [];
  let from = 0;
  while (from < pending.data.length) {
    const at = pending.offset + from;
    const length = Math.min(pieceBytes - (at % pieceBytes), pending.data.length - from);
    pieces.push({ offset: at, data: pending.data.subarray(from, from + length) });
    from += length;
  }
  return pieces;
}
