/**
 * Strace: run a process under it, with faults injected into its system calls, or with its writes traced.
 */
import { spawn, spawnSync } from "node:child_process";

/** How a process ended. `code` null: by the signal, or because it took too long. */
export type Ended = { readonly code: number | null; readonly errors: string; readonly late: boolean };

/** Why strace cannot be used here; null when it can. */
export function whyNoStrace(): string | null {
  if (process.platform !== "linux") return "strace is for Linux";
  const { status, error, stderr } = spawnSync("strace", ["-o", "/dev/null", "true"], { encoding: "utf8" });
  if (error !== undefined) return "strace is not installed; run sh scripts/deep/install-tools.sh as root";
  return status === 0 ? null : `strace may not trace here: ${stderr.trim().split("\n").at(-1)}`;
}

/** Run `script` with Node under strace, and kill it when it takes longer than `msMax`. */
export function runTraced(
  flags: readonly string[],
  script: readonly [file: string, ...args: string[]],
  msMax: number,
): Promise<Ended> {
  const child = spawn("strace", ["-f", "-qq", ...flags, process.execPath, ...script], {
    stdio: ["ignore", "ignore", "pipe"],
    detached: true,
  });
  let errors = "";
  let late = false;
  child.stderr.setEncoding("utf8").on("data", (text: string) => (errors = (errors + text).slice(-4_000)));
  const kill = (): void => {
    try {
      // The whole group: strace alone would let the process go on without it.
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    } catch {
      // It has ended meanwhile.
    }
  };
  process.once("exit", kill);
  const timer = setTimeout(() => {
    late = true;
    kill();
  }, msMax);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      clearTimeout(timer);
      process.off("exit", kill);
      resolve({ code, errors, late });
    });
  });
}
