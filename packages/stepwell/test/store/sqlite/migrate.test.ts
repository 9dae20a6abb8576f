/** The schema comes forward one committed migration at a time, and never from a newer version (F7). */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, describe, expect, it } from "vitest";
import { migrate, type Migration } from "../../../src/store/sqlite/migrate.ts";
import { MIGRATIONS } from "../../../src/store/sqlite/sql.generated.ts";
import { openSqliteStore } from "../../../src/store/sqlite/sqlite.ts";

const folder = mkdtempSync(join(tmpdir(), "stepwell-migrate-"));
afterAll(() => rmSync(folder, { recursive: true }));
let files = 0;
const freshPath = () => join(folder, `${(files += 1)}.db`);

const versionOf = (db: DatabaseSync) => db.prepare("PRAGMA user_version").get()!["user_version"];
const tablesOf = (db: DatabaseSync) =>
  db
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
    .all()
    .map((row) => row["name"]);

const NEWEST = MIGRATIONS.length;

const NEXT: Migration = {
  number: NEWEST + 1,
  name: "the-next-one",
  sql: "CREATE TABLE extra (a); INSERT INTO extra VALUES (1); CREATE TABLE runs (a)",
};

describe("migrate", () => {
  it("brings an empty file to the newest schema and numbers it", () => {
    const db = new DatabaseSync(freshPath());
    migrate(db, "x.db");
    expect(versionOf(db)).toBe(MIGRATIONS.length);
    const ours = ["attempts", "attributes", "inbox", "notes", "runs", "steps", "versions", "workers", "workflows"];
    expect(tablesOf(db).filter((name) => !String(name).startsWith("sqlite_"))).toEqual(ours);
    migrate(db, "x.db");
    expect(versionOf(db)).toBe(MIGRATIONS.length);
    db.close();
  });

  it("F7: a migration that breaks off leaves the version before it, whole, and the next open goes on", () => {
    const path = freshPath();
    const db = new DatabaseSync(path);
    expect(() => migrate(db, path, [...MIGRATIONS, NEXT])).toThrow("already exists");
    expect(versionOf(db)).toBe(NEWEST);
    expect(tablesOf(db)).not.toContain("extra");
    expect(db.isTransaction).toBe(false);
    db.close();
    const again = new DatabaseSync(path);
    migrate(again, path, [...MIGRATIONS, { ...NEXT, sql: "CREATE TABLE extra (a)" }]);
    expect([versionOf(again), tablesOf(again).includes("extra")]).toEqual([NEWEST + 1, true]);
    again.close();
  });

  it("F7: a process that dies in the middle of a migration leaves the version before it", () => {
    const path = freshPath();
    const dying = new DatabaseSync(path);
    migrate(dying, path);
    dying.exec("BEGIN IMMEDIATE; CREATE TABLE extra (a); PRAGMA user_version = 99");
    dying.close();
    const next = new DatabaseSync(path);
    expect([versionOf(next), tablesOf(next).includes("extra")]).toEqual([NEWEST, false]);
    next.close();
  });

  it("applies each migration once when two processes open at the same time", () => {
    const path = freshPath();
    const [a, b] = [new DatabaseSync(path), new DatabaseSync(path)];
    // The second finds nothing to do only once it holds the lock: until then it saw version 0 as well.
    const late: Migration[] = MIGRATIONS.map((migration) => ({
      ...migration,
      get sql(): string {
        throw new RangeError("applied twice");
      },
    }));
    const seenBefore = wrapVersion(b, () => migrate(a, path));
    expect(() => migrate(seenBefore, path, late)).not.toThrow();
    expect(versionOf(b)).toBe(NEWEST);
    a.close();
    b.close();
  });

  it("F7: an older binary refuses a newer schema and changes nothing", async () => {
    const path = freshPath();
    await (await openSqliteStore(path)).close();
    const db = new DatabaseSync(path);
    db.exec("PRAGMA user_version = 7");
    const failure = await openSqliteStore(path).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "STORE_NEWER", details: { found: 7, newest: MIGRATIONS.length } });
    expect(String(failure)).toContain(`schemas up to ${NEWEST}. Update this process`);
    expect(versionOf(db)).toBe(7);
    db.close();
  });

  it.each([
    ["its tables", "CREATE TABLE runs (mine)"],
    ["its version", "CREATE TABLE other (mine); PRAGMA user_version = 1"],
  ])("leaves another program's database alone, told by %s", async (_, sql) => {
    const path = freshPath();
    const db = new DatabaseSync(path);
    db.exec(sql);
    const before = [versionOf(db), tablesOf(db)];
    const failure = await openSqliteStore(path).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "STORE_FAILED" });
    expect(String(failure)).toContain("belongs to another program");
    expect([versionOf(db), tablesOf(db)]).toEqual(before);
    db.close();
  });
});

/** `db`, calling `once` right after its version was read for the first time. */
function wrapVersion(db: DatabaseSync, once: () => void): DatabaseSync {
  let asked = false;
  const prepare = (sql: string) => {
    const statement = db.prepare(sql);
    if (asked || !sql.includes("user_version")) return statement;
    asked = true;
    const row = statement.get();
    once();
    return { get: () => row };
  };
  return new Proxy(db, {
    get: (target, name) => {
      if (name === "prepare") return prepare;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
