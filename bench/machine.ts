/**
 * Machine: what a figure was measured on. A number without it says nothing.
 */
import { execFileSync } from "node:child_process";
import { closeSync, fdatasyncSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { availableParallelism, cpus, release, tmpdir, totalmem, type } from "node:os";
import { join } from "node:path";
import type { ServerSetting } from "./base.ts";

/** What every line of output carries. */
export type Setting = {
  readonly machine: {
    readonly cpu: string;
    readonly cores: number;
    readonly memoryGb: number;
    readonly os: string;
  };
  /** Of 4 KiB each, one after another, in the folder for temporary files, where jobs and a server of ours write. */
  readonly fdatasyncPerSecond: number;
  readonly versions: {
    readonly stepwell: string;
    /** Short hash, with `-dirty` where files differ from it; null outside a repository. */
    readonly commit: string | null;
    readonly node: string;
    readonly sqlite: string;
    /** In rows of that store. */
    readonly postgres: string | null;
  };
  /** Those of the store, by its own names, and how often and how long was measured. */
  readonly settings: Readonly<Record<string, string | number | boolean>> & {
    readonly quick: boolean;
    readonly rounds: number;
  };
};

/** Of the SQLite store. */
const SQLITE_SETTINGS = { journalMode: "wal", synchronous: "full", walAutocheckpoint: 1000 };

/** Look at the machine; takes about a third of a second. */
export function describeSetting(quick: boolean, rounds: number): Setting {
  return {
    machine: {
      cpu: cpus()[0]?.model.trim() ?? "unknown",
      cores: availableParallelism(),
      memoryGb: Math.round(totalmem() / 2 ** 30),
      os: `${type()} ${release()} ${process.arch}`,
    },
    fdatasyncPerSecond: Math.round(probeFdatasync(PROBE_MS)),
    versions: {
      stepwell: stepwellVersion(),
      commit: findCommit(),
      node: process.versions.node,
      sqlite: process.versions["sqlite"] ?? "unknown",
      postgres: null,
    },
    settings: { ...SQLITE_SETTINGS, quick, rounds },
  };
}

/** The same for rows that were measured on a server. */
export function onServer(setting: Setting, { version, settings }: ServerSetting): Setting {
  const { quick, rounds } = setting.settings;
  return {
    ...setting,
    versions: { ...setting.versions, postgres: version },
    settings: { ...settings, quick, rounds },
  };
}

const PROBE_MS = 300;
const BLOCK_BYTES = 4_096;
/** Blocks are written over and over, as in a write-ahead log of 1,000 pages. */
const BLOCKS = 1_000;

/** @returns per second */
function probeFdatasync(durationMs: number): number {
  const folder = mkdtempSync(join(tmpdir(), "stepwell-bench-"));
  const file = openSync(join(folder, "probe"), "w");
  const block = Buffer.alloc(BLOCK_BYTES, 1);
  const startedMs = performance.now();
  let count = 0;
  while (performance.now() - startedMs < durationMs) {
    writeSync(file, block, 0, BLOCK_BYTES, (count % BLOCKS) * BLOCK_BYTES);
    fdatasyncSync(file);
    count += 1;
  }
  const elapsedMs = performance.now() - startedMs;
  closeSync(file);
  rmSync(folder, { recursive: true, force: true });
  return (count / elapsedMs) * 1_000;
}

function stepwellVersion(): string {
  const text = readFileSync(new URL("../packages/stepwell/package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

function findCommit(): string | null {
  try {
    const args = ["describe", "--always", "--dirty", "--exclude=*"];
    return execFileSync("git", args, { cwd: import.meta.dirname, encoding: "utf8", stdio: "pipe" }).trim();
  } catch {
    return null;
  }
}
