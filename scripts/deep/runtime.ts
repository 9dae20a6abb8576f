/**
 * Runtime: a JavaScript runtime that the library is promised to work on, and where its binary is on this machine.
 *
 * Bun is an optional dependency. Other versions of Node come from npm when they are first asked for, and stay below
 * node_modules/.cache.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";

/** One to test under. `find` gives the path of its binary, or why there is none here. */
export type Runtime = { readonly name: string; readonly find: () => Found };

/** A binary, or a reason. */
export type Found = { readonly binary: string } | { readonly missing: string };

/** The oldest Node of each line that the library takes, and of the newest line a late one: see `engines` in its package.json. */
const NODES = { 22: "22.22.3", 24: "24.15.0", 26: "26.10.0" } as const;

const ROOT = join(import.meta.dirname, "../..");
const CACHE = join(ROOT, "node_modules/.cache/stepwell-runtimes");

/** In the order in which they are tested. */
export const RUNTIMES: readonly Runtime[] = [
  { name: "bun", find: findBun },
  ...Object.entries(NODES).map(([name, version]) => ({ name, find: () => findNode(version) })),
];

function findBun(): Found {
  const cpu = process.arch === "arm64" ? "aarch64" : process.arch;
  const wanted = `@oven/bun-${process.platform}-${cpu}`;
  const binary = join(ROOT, "node_modules", wanted, "bin/bun");
  return existsSync(binary) ? { binary } : { missing: `${wanted} is not installed` };
}

function findNode(version: string): Found {
  const wanted = `node-${process.platform === "win32" ? "win" : process.platform}-${process.arch}`;
  const folder = join(CACHE, version);
  const name = process.platform === "win32" ? "node.exe" : "node";
  const binary = join(folder, "node_modules", wanted, "bin", name);
  if (existsSync(binary)) return { binary };
  const why = install(folder, `${wanted}@${version}`);
  if (existsSync(binary)) return { binary };
  rmSync(folder, { recursive: true, force: true });
  return { missing: `${wanted}@${version} cannot be had from npm: ${why}` };
}

/** What npm says. */
function install(folder: string, wanted: string): string {
  mkdirSync(folder, { recursive: true });
  const args = ["install", "--prefix", folder, "--no-save", "--no-audit", "--no-fund", "--loglevel=error", wanted];
  const shell = process.platform === "win32";
  const { stdout, stderr, error } = spawnSync("npm", args, { cwd: folder, encoding: "utf8", shell });
  return error?.message ?? `${stdout}${stderr}`.trim().split("\n").slice(0, 2).join(" ");
}
