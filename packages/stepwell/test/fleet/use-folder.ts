/** Use folder: where the processes of a test file write, and what they work on. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";

/** A folder that goes with the tests. */
export function useFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "stepwell-fleet-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
