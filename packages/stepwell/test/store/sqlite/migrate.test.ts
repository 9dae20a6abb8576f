/** The schema comes forward one committed migration at a time, and never from a newer version (F7). */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, describe, expect, it } from "vitest";
import type { Migration } from "../../../src/store/migration.ts";
import { migrate, migrateDown } from "../../../src/store/sqlite/migrate.ts";
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
  down: "DROP TABLE extra",
};

describe("migrate", () => {
  it("brings an empty file to the newest schema and numbers it", () => {
    const db = new DatabaseSync(freshPath());
    migrate(db, "x.db");
    expect(versionOf(db)).toBe(MIGRATIONS.length);
    const ours = [
      "approval_addressees",
      "approvals",
      "attempts",
      "attributes",
      "breakers",
      "inbox",
      "notes",
      "remarks",
      "runs",
      "steps",
      "versions",
      "workers",
      "workflows",
    ];
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
    db.exec(`PRAGMA user_version = ${NEWEST + 1}`);
    const failure = await openSqliteStore(path).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "STORE_NEWER", details: { found: NEWEST + 1, newest: NEWEST } });
    expect(String(failure)).toContain(`schemas up to ${NEWEST}. Update this process`);
    expect(versionOf(db)).toBe(NEWEST + 1);
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
    expect(failure).toMatchObject({ code: "STORE_FOREIGN" });
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

/** A file as the first schema left it: a run of each kind, a failed attempt, a wait, a step, a note, an item. */
const FIRST_FILE = `
  INSERT INTO workflows VALUES (1, 'test', 'work');
  INSERT INTO versions VALUES (1, 1, '1.0.0');
  INSERT INTO workers VALUES (1, 'w', 'h', 'b', 1, 'n', '0', 'alive', 99999, 1);
  INSERT INTO runs (id, worker_id, fence, inbox_seq, state, due_at_ms, workflow_id, version_id, public_id, history_seq,
    crashes, created_at_ms, ended_at_ms, ending, seed, actor, input_hash, parent_id, parent_key, parent_awaits,
    waiting_for, progress, error, output, input)
  VALUES
    (3, 1, 1, 0, 'running', NULL, 1, 1, 'held', 1, 0, 10, NULL, NULL, 7, 'kim', 'h', NULL, NULL, 0, NULL, '1', NULL, NULL, '"in"'),
    (5, NULL, 2, 1, 'waiting', 50, 1, 1, 'parked', 4, 2, 11, NULL, NULL, 7, 'kim', NULL, 3, 'child', 1, '[]', NULL, NULL, NULL, '2'),
    (6, NULL, 1, 0, 'completed', NULL, 1, 1, 'done', 3, 0, 12, 20, NULL, 7, 'kim', NULL, NULL, NULL, 0, NULL, NULL, NULL, '5', '3'),
    (7, NULL, 1, 0, 'paused', NULL, 1, 1, 'set aside', 3, 0, 13, NULL, 'failed', 7, 'kim', NULL, NULL, NULL, 0, NULL, NULL, '{}', NULL, '4');
  INSERT INTO steps VALUES (3, 'pay', 1, 3, 'step', 'completed', 2, 0, 15, 4, '"paid"');
  INSERT INTO attempts VALUES (3, 'pay', 1, 1, 2, 'step', 'failed', 14, 13, 4, '{"name":"E"}');
  INSERT INTO attempts VALUES (5, 'nap', 1, 1, 2, 'sleep', 'waiting', 50, 13, 0, NULL);
  INSERT INTO inbox VALUES (5, 1, 'signal', 'go', 'kim', 'op', 14, NULL, '1');
  INSERT INTO notes VALUES (5, 3, 'log', 14, '{}');
`;

async function openFirstFile() {
  const path = freshPath();
  const db = new DatabaseSync(path);
  migrate(db, path, MIGRATIONS.slice(0, 1));
  db.exec(FIRST_FILE);
  db.close();
  return { path, store: await openSqliteStore(path, { clock: () => 60 }) };
}

describe("migration 2", () => {
  it("brings a file of schema 1 through with all that is in it", async () => {
    const { store } = await openFirstFile();
    const { runs } = await store.listRuns({ limit: 9 });
    expect(runs.map(({ rowId, id, state }) => [rowId, id, state])).toEqual([
      [7, "set aside", "paused"],
      [6, "done", "completed"],
      [5, "parked", "waiting"],
      [3, "held", "running"],
    ]);
    const fresh = { attributes: {}, deadlineAtMs: null };
    expect(runs[3]).toMatchObject({ ...fresh, workerId: 1, fence: 1, input: '"in"', inputHash: "h", progress: "1" });
    const parent = { rowId: 3, key: "child", awaited: true };
    expect(runs[2]).toMatchObject({
      ...fresh,
      dueAtMs: 50,
      crashes: 2,
      inboxSeq: 1,
      historySeq: 4,
      parent,
      input: "2",
    });
    expect(runs[1]).toMatchObject({ ...fresh, output: "5", endedAtMs: 20 });
    expect(runs[0]).toMatchObject({ ...fresh, ending: "failed", error: "{}" });
    const untold = { beganSeq: null, beganAtMs: null, beat: null, beatAtMs: null };
    const { attempts, checkpoints } = await store.loadMemory(3);
    expect(attempts).toMatchObject([
      { ...untold, key: "pay", state: "failed", seq: 2, dueAtMs: 14, error: '{"name":"E"}' },
    ]);
    expect(checkpoints).toMatchObject([{ key: "pay", seq: 3, value: '"paid"' }]);
    const parked = await store.loadMemory(5);
    expect(parked.attempts).toMatchObject([{ ...untold, key: "nap", state: "waiting", dueAtMs: 50 }]);
    expect([parked.inbox.length, parked.lastSeq]).toEqual([1, 4]);
    await store.close();
  });

  it("goes on with it: what crashed twice is on probation, what is due is claimed, ids are not given again", async () => {
    const { path, store } = await openFirstFile();
    const by = { workerId: 1, versionIds: [1], limit: 9, nowMs: 60 };
    expect(await store.nextDue([1], 60)).toMatchObject({ runInMs: null, suspectInMs: 0 });
    expect((await store.claimRuns({ ...by, suspects: true })).map(({ run }) => run.id)).toEqual(["parked"]);
    const again = { versionId: 1, id: "done", input: "3", inputHash: null, actor: "x", seed: 1, parent: null };
    const write = { kind: "insert_run", run: { ...again, timeoutMs: null }, claimFor: null, owner: null } as const;
    const other = { ...write, run: { ...write.run, id: "new" } };
    const answers = await store.flush([write, other], 60);
    expect(answers).toMatchObject([
      { kind: "exists", run: { rowId: 6 } },
      { kind: "inserted", rowId: 8 },
    ]);
    await store.close();
    const db = new DatabaseSync(path);
    expect(db.prepare("PRAGMA foreign_key_check").all()).toEqual([]);
    expect(db.prepare("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
    db.close();
  });
});

/** Everything that the first schema can hold, table by table. */
const FIRST_TABLES: Readonly<Record<string, string>> = {
  runs: "SELECT * FROM runs ORDER BY id",
  steps: "SELECT * FROM steps",
  attempts: "SELECT * FROM attempts ORDER BY run_id",
  inbox: "SELECT * FROM inbox",
  notes: "SELECT * FROM notes",
  workers: "SELECT * FROM workers",
  versions: "SELECT * FROM versions",
};

const contentOf = (db: DatabaseSync) =>
  Object.fromEntries(Object.entries(FIRST_TABLES).map(([table, sql]) => [table, db.prepare(sql).all()]));

const schemaOf = (db: DatabaseSync) =>
  db
    .prepare("SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY type, name")
    .all()
    .map(({ type, name, sql }) => [type, name, String(sql).replaceAll(/--.*|"|\s+/g, "")]);

describe("the way back", () => {
  it("leads to the first schema as it was, with all that was in it, and forth again", () => {
    const path = freshPath();
    const db = new DatabaseSync(path);
    migrate(db, path, MIGRATIONS.slice(0, 1));
    db.exec(FIRST_FILE);
    const before = [schemaOf(db), contentOf(db)];
    migrate(db, path);
    const newest = schemaOf(db);
    migrateDown(db, path, { to: 1, nowMs: 100_000 });
    expect([schemaOf(db), contentOf(db)]).toEqual(before);
    expect(versionOf(db)).toBe(1);
    migrate(db, path);
    expect(schemaOf(db)).toEqual(newest);
    expect(db.prepare("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
    db.close();
  });

  it("keeps of a newer file what an older one can hold", () => {
    const path = freshPath();
    const db = new DatabaseSync(path);
    migrate(db, path, MIGRATIONS.slice(0, 1));
    db.exec(FIRST_FILE);
    migrate(db, path);
    db.exec(`
      UPDATE runs SET deadline_at_ms = 99, attributes = '{"a":1}' WHERE id = 5;
      INSERT INTO attributes VALUES ('a', '1', 5);
      UPDATE runs SET state = 'quarantined' WHERE id = 7;
      INSERT INTO inbox VALUES (5, 9, 'decision', 'sign', 'kim', 'op 9', 14, NULL, '{}');
      INSERT INTO attempts VALUES (3, 'long', 1, 1, 9, 'step', 'running', NULL, 13, 4, 9, 13, 1, NULL, NULL, NULL);
    `);
    migrateDown(db, path, { to: 2, nowMs: 100_000 });
    expect(versionOf(db)).toBe(2);
    migrateDown(db, path, { to: 1, nowMs: 100_000 });
    const { runs, attempts, inbox } = contentOf(db);
    expect(runs!.map(({ id, state, ending }) => [id, state, ending])).toEqual([
      [3, "running", null],
      [5, "waiting", null],
      [6, "completed", null],
      [7, "quarantined", null],
    ]);
    expect(attempts!.map(({ key }) => key)).toEqual(["pay", "nap"]);
    expect(inbox!.map(({ kind }) => kind)).not.toContain("decision");
    expect(tablesOf(db)).not.toContain("attributes");
    db.close();
  });

  it("is refused while workers are alive, and to where there is nothing", () => {
    const path = freshPath();
    const db = new DatabaseSync(path);
    migrate(db, path, MIGRATIONS.slice(0, 1));
    db.exec(FIRST_FILE);
    migrate(db, path);
    const down = (to: number, nowMs: number) => () => migrateDown(db, path, { to, nowMs });
    expect(down(1, 60)).toThrow("STORE_BUSY");
    expect(down(1, 60)).toThrow("1 workers are alive; stop them first");
    expect(down(0, 100_000)).toThrow(`a schema of version ${NEWEST} goes back to 1 to ${NEWEST}, not to 0`);
    expect(down(NEWEST + 1, 100_000)).toThrow("OPTION_INVALID");
    expect(versionOf(db)).toBe(NEWEST);
    db.exec(`PRAGMA user_version = ${NEWEST + 1}`);
    expect(down(1, 100_000)).toThrow("STORE_NEWER");
    db.close();
  });

  it("F7: breaks off whole", () => {
    const path = freshPath();
    const db = new DatabaseSync(path);
    const odd: Migration = { ...NEXT, sql: "CREATE TABLE extra (a)", down: "DROP TABLE extra; DROP TABLE none" };
    migrate(db, path, [...MIGRATIONS, odd]);
    expect(() => migrateDown(db, path, { to: 1, nowMs: 0 }, [...MIGRATIONS, odd])).toThrow("no such table");
    expect([versionOf(db), tablesOf(db).includes("extra"), db.isTransaction]).toEqual([NEWEST + 1, true, false]);
    db.close();
  });
});
