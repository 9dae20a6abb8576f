/**
 * Scratch: a folder for the files of one command. It is gone when the command ends: normally, by Ctrl-C, or because
 * the reader of its output has left.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Make the folder; `keep` leaves it. From here on SIGINT and SIGTERM end this process by `exit`, so that it is removed. */
export function openScratch(name: string, keep = false): string {
  const dir = mkdtempSync(join(tmpdir(), `stepwell-${name}-`));
  if (!keep) process.once("exit", () => rmSync(dir, { recursive: true, force: true, maxRetries: 3 }));
  process.once("SIGINT", () => process.exit(130));
  process.once("SIGTERM", () => process.exit(143));
  return dir;
}
