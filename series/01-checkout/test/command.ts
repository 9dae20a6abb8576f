/** Commands of the repository, run as a reader would run them, in a process of their own and with their output piped. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

/** What a command printed, and how it ended. */
export type Ended = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

/** Run this Node in the root of the repository. `env`: beside what this process has. */
export function runNode(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  return run(process.execPath, args, env);
}

/** Run a line such as `npm run series -- 1 --list`, as typed; its temporary files go to `tempDir`. */
export function runLine(line: string, tempDir: string): Promise<Ended> {
  const [command = "", ...args] = line.split(" ");
  return run(command, command === "npm" ? ["--silent", ...args] : args, { TMPDIR: tempDir });
}

function run(command: string, args: readonly string[], env: Readonly<Record<string, string>>): Promise<Ended> {
  const child = spawn(command, args, { cwd: ROOT, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, stdout, stderr }));
  });
}
