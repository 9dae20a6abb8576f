/** F18 with real processes: a run that ends its process with SIGKILL is set aside, and its company completes. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { openSqliteStore } from "../../src/store/sqlite/sqlite.ts";

const CHILD = join(import.meta.dirname, "poison-child.ts");
const TEST_MS_MAX = 180_000;
/** Two crashes among others, one alone, the last process goes through; some more, should a suspect not be first. */
const STARTS_MAX = 6;

function runChild(
  path: string,
): Promise<{ readonly code: number | null; readonly signal: string | null; readonly said: string }> {
  const child = spawn(process.execPath, ["--conditions=stepwell-source", CHILD, path], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  return new Promise((resolve) => child.on("exit", (code, signal) => resolve({ code, signal, said })));
}

it(
  "F18: a run that kills its process three times is quarantined, and twenty bystanders complete",
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "stepwell-poison-"));
    const path = join(folder, "runs.db");
    let starts = 0;
    let ended = null;
    do {
      starts += 1;
      ended = await runChild(path);
      if (ended.signal !== "SIGKILL") {
        expect(ended).toEqual({ code: 0, signal: null, said: expect.any(String) as string });
      }
    } while (ended.code !== 0 && starts < STARTS_MAX);
    expect(ended.code, `after ${starts} starts`).toBe(0);
    const store = await openSqliteStore(path, { clock: () => 0 });
    const { runs } = await store.listRuns({ limit: 100 });
    const standing = runs.map(({ name, state }) => `${name} ${state}`).sort();
    expect(standing).toEqual([...Array.from({ length: 20 }, () => "bystander completed"), "poison quarantined"]);
    expect(runs.find((run) => run.name === "poison")?.crashes).toBe(3);
    for (const run of runs.filter(({ name }) => name === "bystander")) {
      const notes = (await store.listHistory(run.rowId)).flatMap((event) =>
        event.kind === "note" ? [event.note] : [],
      );
      expect(notes.every((note) => note === "takeover") && notes.length <= 2).toBe(true);
    }
    await store.close();
    rmSync(folder, { recursive: true });
  },
  TEST_MS_MAX,
);
