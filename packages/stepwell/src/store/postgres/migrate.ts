/**
 * Migrate: bring a schema of the database to what this version knows, and back.
 *
 * Each migration is one transaction together with its number, so that a crash in the middle of one leaves the version
 * before it, and the next open goes on (F7). Those who race for one wait for each other at an advisory lock that ends
 * with the transaction: no pooler can lose it. Migrations are never edited; which of them were applied stands in the
 * table `stepwell_migrations`.
 */
import { StepwellError } from "../../model/errors.ts";
import { type Migration, wayDown } from "../migration.ts";
import { sqlState, toStoreError } from "./faults.ts";
import { quote } from "./query.ts";
import { MIGRATIONS } from "./sql.generated.ts";

/** One connection, on which transactions can be made. */
export type Executor = { readonly query: (text: string) => Promise<{ readonly rows: readonly unknown[] }> };

/** Where the tables are: how messages call the database, and the name of their schema. */
export type Place = { readonly place: string; readonly schema: string };

/** A transaction that waits for a table waits no longer, since everybody else who wants that table waits behind it. */
const LOCK_SECONDS_MAX = 10;

/**
 * Apply what is missing.
 *
 * @throws STORE_NEWER when the schema has a version that `migrations` do not reach; nothing is changed
 * @throws STORE_FOREIGN when the schema is another program's; STORE_RIGHTS_MISSING
 */
export async function migrate(db: Executor, at: Place, migrations: readonly Migration[] = MIGRATIONS): Promise<void> {
  const found = await readVersion(db, at);
  checkNotNewer(at, found, migrations.length);
  for (const migration of migrations.slice(found)) {
    await inTransaction(db, at, async () => {
      if ((await readVersion(db, at)) < migration.number) await apply(db, at, migration);
    });
  }
}

/**
 * Undo the newest migrations until `to` is the newest.
 *
 * @throws STORE_BUSY while workers are alive: they would go on as before
 */
export async function migrateDown(
  db: Executor,
  at: Place,
  to: number,
  migrations: readonly Migration[] = MIGRATIONS,
): Promise<void> {
  const found = await readVersion(db, at);
  checkNotNewer(at, found, migrations.length);
  for (const { number, down } of wayDown(migrations, { from: found, to })) {
    await inTransaction(db, at, async () => {
      if ((await readVersion(db, at)) !== number) return;
      await checkNobodyWorks(db, at);
      await enter(db, at);
      await db.query(down);
      await db.query(`DELETE FROM ${quote(at.schema)}.stepwell_migrations WHERE number = ${number}`);
    });
  }
}

async function apply(db: Executor, at: Place, { number, name, sql }: Migration): Promise<void> {
  const schema = quote(at.schema);
  if (number === 1) await found(db, at);
  await enter(db, at);
  await db.query(sql);
  await db.query(`INSERT INTO ${schema}.stepwell_migrations (number, name) VALUES (${number}, ${literal(name)})`);
}

/** A schema may have been made for us by somebody with more rights. */
async function found(db: Executor, at: Place): Promise<void> {
  const schema = quote(at.schema);
  if (await hasTables(db, at)) throw foreign(at, "there are tables in it already");
  const exists = `EXISTS (SELECT FROM pg_namespace WHERE nspname = ${literal(at.schema)})`;
  if ((await ask(db, exists)) !== true) await db.query(`CREATE SCHEMA ${schema}`);
  await db.query(
    `CREATE TABLE ${schema}.stepwell_migrations (
       number      bigint      NOT NULL PRIMARY KEY,
       name        text        NOT NULL,
       applied_at  timestamptz NOT NULL DEFAULT now()
     )`,
  );
}

async function enter(db: Executor, { schema }: Place): Promise<void> {
  await db.query(`SET LOCAL search_path = ${quote(schema)}; SET LOCAL statement_timeout = 0`);
  await db.query(`SET LOCAL lock_timeout = '${LOCK_SECONDS_MAX}s'`);
}

async function inTransaction(db: Executor, at: Place, work: () => Promise<void>): Promise<void> {
  try {
    await db.query("BEGIN");
    const key = `hashtextextended(${literal(`stepwell migrate ${at.schema}`)}, 0)`;
    await db.query("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0");
    await db.query(`SELECT pg_advisory_xact_lock(${key})`);
    await work();
    await db.query("COMMIT");
  } catch (error) {
    await db.query("ROLLBACK").catch(() => {});
    throw sqlState(error) === "42501" ? rightsMissing(at, error) : toStoreError(error, at.place);
  }
}

/**
 * The number of the newest migration; 0: the schema is not there, or nothing in it. The catalogue is read as tables: what
 * a `to_regclass` has not found once it goes on not to find until the transaction ends.
 */
async function readVersion(db: Executor, at: Place): Promise<number> {
  if (!(await hasTables(db, at, "AND relname = 'stepwell_migrations'"))) return 0;
  const found = await readNumber(db, at);
  if (found > 0 && !(await hasTables(db, at, "AND relname = 'runs'"))) throw foreign(at, 'it has no table "runs"');
  return found;
}

async function readNumber(db: Executor, at: Place): Promise<number> {
  try {
    return Number(await ask(db, `(SELECT coalesce(max(number), 0) FROM ${quote(at.schema)}.stepwell_migrations)`));
  } catch (error) {
    if (sqlState(error)?.startsWith("42") !== true || sqlState(error) === "42501") throw toStoreError(error, at.place);
    throw foreign(at, 'its table "stepwell_migrations" is not ours');
  }
}

async function hasTables(db: Executor, { schema, place }: Place, which = ""): Promise<boolean> {
  const from = "pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace";
  try {
    return (await ask(db, `EXISTS (SELECT FROM ${from} WHERE nspname = ${literal(schema)} ${which})`)) === true;
  } catch (error) {
    throw toStoreError(error, place);
  }
}

async function checkNobodyWorks(db: Executor, { place, schema }: Place): Promise<void> {
  const now = "extract(epoch FROM clock_timestamp()) * 1000";
  const alive = `SELECT count(*) FROM ${quote(schema)}.workers WHERE state = 'alive' AND lease_until_ms > ${now}`;
  const workers = Number(await ask(db, `(${alive})`));
  if (workers === 0) return;
  throw new StepwellError("STORE_BUSY", `${place}: ${workers} workers are alive; stop them first`);
}

async function ask(db: Executor, expression: string): Promise<unknown> {
  const { rows } = await db.query(`SELECT ${expression} AS answer`);
  return (rows[0] as { readonly answer: unknown } | undefined)?.answer;
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

function checkNotNewer({ place, schema }: Place, found: number, newest: number): void {
  if (found <= newest) return;
  const what = `${place}: schema "${schema}" has version ${found}, this version of Stepwell knows up to ${newest}`;
  throw new StepwellError("STORE_NEWER", what, { details: { place, schema, found, newest } });
}

function foreign({ place, schema }: Place, why: string): StepwellError {
  return new StepwellError("STORE_FOREIGN", `${place}: schema "${schema}": ${why}`, { details: { place, schema } });
}

function rightsMissing({ place, schema }: Place, error: unknown): StepwellError {
  const why = error instanceof Error ? error.message : String(error);
  const what = `${place}: schema "${schema}" has to be migrated, and this role may not: ${why}`;
  return new StepwellError("STORE_RIGHTS_MISSING", what, { cause: error, details: { place, schema } });
}
