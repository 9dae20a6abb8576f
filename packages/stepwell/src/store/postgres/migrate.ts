/**
 * Migrate: bring a schema of the database to what this version knows.
 *
 * Each migration is one transaction together with its number, so that a crash in the middle of one leaves the version
 * before it, and the next open goes on (F7). Those who race for one wait for each other at an advisory lock that ends
 * with the transaction: no pooler can lose it. Migrations are never edited; the number stands in the table `stepwell`.
 */
import { StepwellError } from "../../model/errors.ts";
import { quote } from "./query.ts";
import { MIGRATIONS } from "./sql.generated.ts";

/** One numbered step of the schema; numbers run 1, 2, 3, … */
export type Migration = { readonly number: number; readonly name: string; readonly sql: string };

/** One connection, on which transactions can be made. */
export type Executor = { readonly query: (text: string) => Promise<{ readonly rows: readonly unknown[] }> };

/** Where the tables are: how messages call the database, and the name of their schema. */
export type Place = { readonly place: string; readonly schema: string };

/**
 * Apply what is missing.
 *
 * @throws STORE_NEWER when the schema has a version that `migrations` do not reach; nothing is changed
 * @throws STORE_FAILED when the schema is another program's
 */
export async function migrate(db: Executor, at: Place, migrations: readonly Migration[] = MIGRATIONS): Promise<void> {
  const newest = migrations.length;
  const found = await readVersion(db, at);
  if (found > newest) throw newer(at, found, newest);
  for (const migration of migrations.slice(found)) await applyMigration(db, at, migration);
}

async function applyMigration(db: Executor, at: Place, migration: Migration): Promise<void> {
  await db.query("BEGIN");
  try {
    await db.query(`SELECT pg_advisory_xact_lock(hashtextextended('stepwell migrate ' || ${literal(at.schema)}, 0))`);
    if ((await readVersion(db, at)) < migration.number) await applyLocked(db, at, migration);
    await db.query("COMMIT");
  } catch (error) {
    await db.query("ROLLBACK").catch(() => {});
    throw error;
  }
}

async function applyLocked(db: Executor, at: Place, { number, sql }: Migration): Promise<void> {
  const schema = quote(at.schema);
  if (number === 1) {
    if (await hasTables(db, at)) throw foreign(at, "it has tables of its own");
    await db.query(`CREATE SCHEMA IF NOT EXISTS ${schema}`);
    await db.query(`CREATE TABLE ${schema}.stepwell (version bigint NOT NULL)`);
    await db.query(`INSERT INTO ${schema}.stepwell VALUES (0)`);
  }
  await db.query(`SET LOCAL search_path = ${schema}`);
  await db.query(sql);
  await db.query(`UPDATE ${schema}.stepwell SET version = ${number}`);
}

/**
 * 0: the schema is not there, or nothing of ours in it. The catalogue is read as tables: what a `to_regclass` has not
 * found once it goes on not to find until the transaction ends.
 */
async function readVersion(db: Executor, at: Place): Promise<number> {
  if (!(await hasTables(db, at, "AND relname = 'stepwell'"))) return 0;
  return Number(await ask(db, `(SELECT version FROM ${quote(at.schema)}.stepwell)`));
}

async function hasTables(db: Executor, { schema }: Place, which = ""): Promise<boolean> {
  const from = "pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace";
  return (await ask(db, `EXISTS (SELECT FROM ${from} WHERE nspname = ${literal(schema)} ${which})`)) === true;
}

async function ask(db: Executor, expression: string): Promise<unknown> {
  const { rows } = await db.query(`SELECT ${expression} AS answer`);
  return (rows[0] as { readonly answer: unknown } | undefined)?.answer;
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

function newer({ place, schema }: Place, found: number, newest: number): StepwellError {
  const what = `${place}: schema "${schema}" has version ${found}, this version of Stepwell knows up to ${newest}`;
  return new StepwellError("STORE_NEWER", what, { details: { schema, found, newest } });
}

function foreign({ place, schema }: Place, why: string): StepwellError {
  const what = `${place}: schema "${schema}" belongs to another program: ${why}; give Stepwell a schema of its own`;
  return new StepwellError("STORE_FAILED", what, { details: { schema } });
}
