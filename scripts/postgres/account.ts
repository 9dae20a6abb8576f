/**
 * Account: as whom the programs of PostgreSQL run. They refuse to work for root, and root is who many containers run as.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chownSync, lchownSync, readdirSync } from "node:fs";
import { join } from "node:path";

/**
 * - `self`: whoever asks.
 * - `namespace`: the same, seen as nobody by a namespace of its own. To all others it is who it was, and what may be read
 *   and written does not change. Not permitted in every container.
 * - `nobody`: user 65534, who can do little more than what he is given. Only root can become him.
 *
 * Nobody it is both times, because initdb wants a user who has a name, and this one has it everywhere.
 */
export type Account = "self" | "namespace" | "nobody";

const ROOT = { uid: 0, gid: 0 };
const NOBODY = { uid: 65_534, gid: 65_534 };
const NAMESPACE = ["unshare", "--user", `--map-user=${NOBODY.uid}`, `--map-group=${NOBODY.gid}`, "--"];

/** Nothing of the caller's PostgreSQL variables, language or time zone reaches a program. */
const ENVIRONMENT = { PATH: process.env["PATH"], LC_ALL: "C", TZ: "UTC" };

/** Those that may work here, the better first. */
export function accountsHere(): readonly Account[] {
  return isRoot() ? ["namespace", "nobody"] : ["self", "namespace"];
}

/** What a program is given and where its output goes; a number is an open file. `cwd` must be open to the account. */
export type Streams = { readonly cwd: string; readonly stdin?: number | string; readonly stdout?: number };

/**
 * Run a program to its end.
 *
 * @returns its standard output, unless that goes to a file
 * @throws  Error with all that it said, when it fails
 */
export function runAs(account: Account, command: readonly string[], { cwd, stdin, stdout }: Streams): string {
  const [program, args, options] = dressed(account, command);
  const text = typeof stdin === "string";
  const { status, signal, error, ...said } = spawnSync(program, args, {
    ...options,
    cwd,
    encoding: "utf8",
    ...(text ? { input: stdin } : {}),
    stdio: [text ? "pipe" : (stdin ?? "ignore"), stdout ?? "pipe", "pipe"],
  });
  if (error !== undefined) throw error;
  if (status === 0) return said.stdout ?? "";
  const output = `${said.stdout ?? ""}${said.stderr}`.trim();
  throw new Error(`${command[0]} ended with ${signal ?? status}: ${output}`);
}

/** Start a program that writes to the open file `log`. Its process id is the program's own, in every account. */
export function spawnAs(account: Account, command: readonly string[], cwd: string, log: number): ChildProcess {
  const [program, args, options] = dressed(account, command);
  return spawn(program, args, { ...options, cwd, stdio: ["ignore", log, log] });
}

/** Let the account own a folder of the caller's, and all that is in it. */
export function giveTo(account: Account, folder: string): void {
  if (!isRoot()) return;
  const { uid, gid } = account === "nobody" ? NOBODY : ROOT;
  chownSync(folder, uid, gid);
  for (const path of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    lchownSync(join(folder, path), uid, gid);
  }
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}

type Dressed = readonly [program: string, args: string[], options: { env: NodeJS.ProcessEnv; uid?: number }];

function dressed(account: Account, command: readonly string[]): Dressed {
  const words = account === "namespace" ? [...NAMESPACE, ...command] : command;
  return [words[0] ?? "", words.slice(1), { env: ENVIRONMENT, ...(account === "nobody" ? NOBODY : {}) }];
}
