/** PostgreSQL as hooks of a test file: there, or not there for a reason that the report has. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "pg";
import { describe, expect, it } from "vitest";
import type { TestReport } from "../test-report.ts";
import { freshDatabase } from "./database.ts";
import { useFreshDatabase } from "./for-tests.ts";
import { query } from "./query.ts";

const ROOT = join(import.meta.dirname, "../..");
const VITEST = join(ROOT, "node_modules/vitest/vitest.mjs");
describe("a fresh database", () => {
  const url = useFreshDatabase();

  it("is empty", async () => {
    expect(await query(url(), "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).toEqual([]);
  });

  it("is not anybody else's, and goes with all who are connected", async () => {
    const { url: other, drop } = await freshDatabase(url());
    expect(new URL(other).pathname).not.toBe(new URL(url()).pathname);
    const client = new Client({ connectionString: other });
    const ended = new Promise((resolve) => client.on("error", resolve));
    await client.connect();
    await drop();
    expect(await ended).toMatchObject({ code: "57P01" });
    await expect(query(other, "SELECT 1")).rejects.toMatchObject({ code: "3D000" });
  });
});

describe("without a PostgreSQL", () => {
  it("tests that need one are skipped, and say why", { timeout: 60_000 }, () => {
    const scratch = mkdtempSync(join(tmpdir(), "stepwell-without-"));
    try {
      const file = join(scratch, "report.json");
      const flags = ["--reporter=./scripts/test-report.ts", "-t", "is empty|is asked for|keeps the data"];
      const { status } = spawnSync(process.execPath, [VITEST, "run", ...flags, "scripts/postgres"], {
        cwd: ROOT,
        env: { ...process.env, STEPWELL_TEST_PG: "none", STEPWELL_TEST_REPORT: file },
      });
      const { passed, failed, skipped } = JSON.parse(readFileSync(file, "utf8")) as TestReport;
      expect({ status, passed, failed }).toEqual({ status: 0, passed: 0, failed: 0 });
      const why = "no PostgreSQL: STEPWELL_TEST_PG says none";
      for (const name of [
        "for-tests.test.ts > a fresh database > is empty",
        "server.test.ts > a password > is asked for",
        "server.test.ts > a restart > that is fast does not wait for clients, and keeps the data",
      ]) {
        expect(skipped).toContainEqual({ name: `scripts/postgres/${name}`, why });
      }
    } finally {
      rmSync(scratch, { recursive: true });
    }
  });
});
