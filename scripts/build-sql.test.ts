/** The generator of sql.generated.ts: names become positions, mistakes are told, and what is committed is fresh. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { listMigrations, parseQueries, renderModule, toPositional } from "./build-sql.ts";

describe("toPositional", () => {
  it.each([
    ["a = :one AND b = :two", "a = ? AND b = ?", ["one", "two"]],
    [":now, :now", "?, ?", ["now", "now"]],
    ["x = 'at :time' AND y = 'it''s :no' AND z = :yes", "x = 'at :time' AND y = 'it''s :no' AND z = ?", ["yes"]],
    [":value::jsonb", "?::jsonb", ["value"]],
    ["a -- not :this\n= :that", "a -- not :this\n= ?", ["that"]],
    ["no parameters", "no parameters", []],
  ])("reads %j", (named, sql, binds) => {
    expect(toPositional(named)).toEqual({ sql, binds });
  });
});

describe("parseQueries", () => {
  it("splits by name and leaves comments above a statement out", () => {
    const text = "-- Header.\n\n-- name: one\n-- Why.\nSELECT 1;\n\n-- name: two\nSELECT :a,\n       :b;\n";
    expect(parseQueries(text)).toEqual([
      { name: "one", sql: "SELECT 1", binds: [] },
      { name: "two", sql: "SELECT ?,\n       ?", binds: ["a", "b"] },
    ]);
  });

  it.each([
    ["-- name: a\nSELECT 1;\n-- name: a\nSELECT 2;\n", "two queries are named a"],
    ["-- name: Two Words\nSELECT 1;\n", '"Two Words" is not a name'],
    ["-- name: a\nSELECT 1\n", "a is not one statement"],
    ["-- name: a\nSELECT 1; SELECT 2;\n", "a is not one statement"],
  ])("refuses %j", (text, message) => {
    expect(() => parseQueries(text)).toThrow(message);
  });
});

describe("listMigrations", () => {
  it("wants numbers without gaps", () => {
    const folder = mkdtempSync(join(tmpdir(), "stepwell-sql-"));
    writeFileSync(join(folder, "0001-first.sql"), "SELECT 1;\n");
    expect(listMigrations(folder)).toEqual([{ number: 1, name: "0001-first", sql: "SELECT 1;", down: null }]);
    writeFileSync(join(folder, "0003-third.sql"), "SELECT 3;\n");
    expect(() => listMigrations(folder)).toThrow("0003-third.sql: migrations are");
    rmSync(folder, { recursive: true });
  });

  it("wants a way back from each but the first", () => {
    const folder = mkdtempSync(join(tmpdir(), "stepwell-sql-"));
    writeFileSync(join(folder, "0001-first.sql"), "SELECT 1;\n");
    writeFileSync(join(folder, "0002-second.sql"), "SELECT 2;\n");
    expect(() => listMigrations(folder)).toThrow("0002-second.down.sql: each migration has a way back");
    writeFileSync(join(folder, "0002-second.down.sql"), "SELECT -2;\n");
    expect(listMigrations(folder)[1]).toEqual({ number: 2, name: "0002-second", sql: "SELECT 2;", down: "SELECT -2;" });
    writeFileSync(join(folder, "0002-other.down.sql"), "SELECT -2;\n");
    expect(() => listMigrations(folder)).toThrow("0002-other.down.sql undoes nothing");
    writeFileSync(join(folder, "0001-first.down.sql"), "SELECT -1;\n");
    expect(() => listMigrations(folder)).toThrow(
      "0001-first.down.sql: each migration has a way back, but for the first",
    );
    rmSync(folder, { recursive: true });
  });
});

describe("renderModule", () => {
  it("keeps backticks, backslashes and dollars as they were", async () => {
    const sql = "SELECT '`${a}\\n`'";
    const text = renderModule([{ name: "odd", sql, binds: [] }], [{ number: 1, name: "0001-odd", sql, down: sql }]);
    const module = (await import(`data:text/javascript,${encodeURIComponent(text.replaceAll(" as const", ""))}`)) as {
      QUERIES: { odd: string };
      MIGRATIONS: readonly { sql: string }[];
    };
    expect([module.QUERIES.odd, module.MIGRATIONS[0]!.sql]).toEqual([sql, sql]);
  });
});

describe("the committed modules", () => {
  it("are what the .sql files say", () => {
    const { status, stderr } = spawnSync(process.execPath, [join(import.meta.dirname, "build-sql.ts"), "--check"], {
      encoding: "utf8",
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  });
});
