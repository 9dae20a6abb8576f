/** P4 with real processes: two of them share a file and are killed with SIGKILL, in transactions and between them. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { openDice } from "../../src/model/dice.ts";

const CHILD = join(import.meta.dirname, "programs", "tx.ts");
const TEST_MS_MAX = 120_000;
const ROUNDS = 5;
const RUNS = 3;
const LINES = 60;

/** @param killAfter so many words of the child; null: it lives until it is done */
function live(path: string, killAfter: number | null): Promise<number | string> {
  const child = spawn(process.execPath, ["--conditions=stepwell-source", CHILD, path, String(RUNS), String(LINES)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let words = 0;
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    words += text.split("\n").length - 1;
    if (killAfter !== null && words >= killAfter) child.kill("SIGKILL");
  });
  return new Promise((resolve) => child.on("exit", (code, signal) => resolve(code ?? signal ?? "gone")));
}

/** What the user's table holds, and what the checkpoints say, as `run/line`. */
function look(path: string): { readonly rows: readonly string[]; readonly checkpoints: readonly string[] } {
  const db = new DatabaseSync(path);
  const list = (sql: string): readonly string[] =>
    db
      .prepare(sql)
      .all()
      .map((row) => String(row["name"]));
  const rows = list("SELECT run || '/' || line AS name FROM lines ORDER BY name");
  const checkpoints = list(
    `SELECT runs.public_id || substr(steps.key, 5) AS name FROM steps JOIN runs ON runs.id = steps.run_id
     WHERE steps.kind = 'tx' ORDER BY name`,
  );
  db.close();
  return { rows, checkpoints };
}

it(
  "P4: every line is there exactly once, with its checkpoint, after every kill",
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "stepwell-tx-"));
    const path = join(folder, "runs.db");
    const dice = openDice("kill in transactions");
    let kills = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      const ends = await Promise.all([live(path, 12 + dice.integer(30)), live(path, 12 + dice.integer(30))]);
      kills += ends.filter((end) => end === "SIGKILL").length;
      const { rows, checkpoints } = look(path);
      expect(rows).toEqual(checkpoints);
    }
    expect(await live(path, null)).toBe(0);
    const { rows, checkpoints } = look(path);
    expect(rows).toEqual(checkpoints);
    expect([rows.length, new Set(rows).size]).toEqual([RUNS * LINES, RUNS * LINES]);
    expect(kills).toBeGreaterThanOrEqual(ROUNDS);
    rmSync(folder, { recursive: true });
  },
  TEST_MS_MAX,
);
