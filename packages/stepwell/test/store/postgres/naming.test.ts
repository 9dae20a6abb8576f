/** Names of tables get their schema, in every statement that is sent. */
import { Client } from "pg";
import { describe, expect, it } from "vitest";
import { useFreshDatabase } from "../../../../../scripts/postgres/for-tests.ts";
import { openNaming, qualify } from "../../../src/store/postgres/naming.ts";
import { composeFlush, type PartName } from "../../../src/store/postgres/parts.ts";
import { openPostgresStore } from "../../../src/store/postgres/postgres.ts";
import { statementOf, type Statement, toStatement } from "../../../src/store/postgres/query.ts";
import { QUERIES } from "../../../src/store/postgres/sql.generated.ts";
import { urlWith } from "./server.ts";

describe("qualify", () => {
  it.each([
    ["SELECT attributes FROM runs WHERE runs.id = 1", 'SELECT attributes FROM "s".runs WHERE runs.id = 1'],
    ["INSERT INTO steps (key) SELECT key FROM\n  notes", 'INSERT INTO "s".steps (key) SELECT key FROM\n  "s".notes'],
    ["UPDATE runs SET x = 1 FROM inbox JOIN steps", 'UPDATE "s".runs SET x = 1 FROM "s".inbox JOIN "s".steps'],
    ["DELETE FROM notes USING runs", 'DELETE FROM "s".notes USING "s".runs'],
    ["ON CONFLICT DO UPDATE SET a = 1 FOR UPDATE OF runs", "ON CONFLICT DO UPDATE SET a = 1 FOR UPDATE OF runs"],
    ["a IS NOT DISTINCT FROM attributes", "a IS NOT DISTINCT FROM attributes"],
    ["SELECT 'INTO runs' -- FROM runs\nFROM runs", "SELECT 'INTO runs' -- FROM runs\nFROM \"s\".runs"],
    ["SELECT FROM runs_due JOIN workers AS w", 'SELECT FROM runs_due JOIN "s".workers AS w'],
  ])("completes %s", (text, expected) => {
    expect(qualify(text, "s")).toBe(expected);
  });

  it("quotes the schema, whatever its name", () => {
    expect(qualify("SELECT FROM runs", 'a "b"')).toBe('SELECT FROM "a ""b""".runs');
  });
});

describe("a statement's name", () => {
  it("tells schemas and texts apart, and has no more letters than the server keeps", () => {
    const flush = toStatement(`flush ${"part ".repeat(20)}`, "SELECT 1 FROM runs");
    const [a, b] = [openNaming("a"), openNaming("b")];
    expect(a(flush)).toBe(a(flush));
    expect(a(flush).name).not.toBe(b(flush).name);
    expect(a({ ...flush, text: "SELECT 2 FROM runs" }).name).not.toBe(a(flush).name);
    expect(a(flush).name.length).toBeLessThanOrEqual(63);
  });
});

const ALL_PARTS: readonly PartName[] = [
  ...(["plain", "steps", "attempts", "beats", "notes", "progress", "attributes", "wakes", "runs", "turns"] as const),
  ...(["turnNotes", "childEnds", "items"] as const),
];

/** Parts of a flush stand in `composeFlush` alone. */
const STATEMENTS: readonly Statement[] = [
  ...(Object.keys(QUERIES) as (keyof typeof QUERIES)[]).filter((name) => !name.startsWith("flush")).map(statementOf),
  composeFlush(new Set(ALL_PARTS)),
  composeFlush(new Set(["posts", "items"])),
];

describe("every statement", () => {
  const url = useFreshDatabase();

  it("finds its tables without a search path", async () => {
    const address = urlWith(url(), ({ searchParams }) => searchParams.set("schema", 'odd "one"'));
    await (await openPostgresStore(address)).close();
    const client = new Client({ connectionString: url(), options: "-c search_path=" });
    await client.connect();
    const naming = openNaming('odd "one"');
    const failures: string[] = [];
    for (const statement of STATEMENTS) {
      const { name, text } = naming(statement);
      await client
        .query(`PREPARE "${name}" AS ${text}`)
        .catch((error: unknown) => failures.push(`${name}: ${String(error)}`));
    }
    await client.end();
    expect(failures).toEqual([]);
    expect(STATEMENTS.length).toBeGreaterThan(10);
  });

  it("has no part with the name of a table", () => {
    const tables = "workflows|versions|workers|runs|steps|attempts|inbox|notes|attributes";
    const named = STATEMENTS.filter(({ text }) =>
      new RegExp(`\\b(${tables})\\s+AS\\s+(MATERIALIZED\\s+)?\\(`).test(text),
    );
    expect(named.map(({ name }) => name)).toEqual([]);
  });
});
