/**
 * Rights: whether the role that this process runs as may do what a running engine does. Migrations may be another
 * role's, see docs/guides/postgres.md.
 */
import { StepwellError } from "../../model/errors.ts";
import { toStoreError } from "./faults.ts";
import type { Place } from "./migrate.ts";
import { quote } from "./query.ts";

/** A connection that takes values. */
export type Asker = {
  readonly query: (text: string, values: readonly unknown[]) => Promise<{ readonly rows: readonly unknown[] }>;
};

/** What an engine needs on each of its tables; which migrations there were it only reads. */
const RIGHTS = ["SELECT", "INSERT", "UPDATE", "DELETE"];

const LIST_MISSING = `
  SELECT relname AS table_name, wanted AS wanted_right, current_user AS role_name
  FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace CROSS JOIN unnest($2::text[]) AS wanted
  WHERE nspname = $1 AND relkind IN ('r', 'p') AND (relname <> 'stepwell_migrations' OR wanted = 'SELECT')
    AND NOT has_table_privilege(pg_class.oid, wanted)
    AND EXISTS (
      SELECT FROM pg_class AS ours WHERE ours.relnamespace = pg_namespace.oid AND ours.relname = 'stepwell_migrations'
    )
  ORDER BY relname, wanted`;

type Missing = { readonly table_name: string; readonly wanted_right: string; readonly role_name: string };

type Entry = { readonly role_name: string; readonly may_enter: boolean | null };

/** @throws STORE_RIGHTS_MISSING when the schema is there and this role may not so much as look into it */
export async function checkEntry(db: Asker, at: Place): Promise<void> {
  const text = `
    SELECT current_user AS role_name, has_schema_privilege(pg_namespace.oid, 'USAGE') AS may_enter
    FROM pg_namespace WHERE nspname = $1`;
  const [entry] = (await ask(db, at, text, [at.schema])) as readonly Entry[];
  if (entry === undefined || entry.may_enter === true) return;
  throw missing(at, `role "${entry.role_name}" may not use schema "${at.schema}"`, [
    `GRANT USAGE ON SCHEMA ${quote(at.schema)} TO ${quote(entry.role_name)}`,
  ]);
}

/** @throws STORE_RIGHTS_MISSING with all that are missing on tables of ours, and the statements that give them */
export async function checkRights(db: Asker, at: Place): Promise<void> {
  const found = (await ask(db, at, LIST_MISSING, [at.schema, RIGHTS])) as readonly Missing[];
  if (found.length === 0) return;
  const role = found[0]!.role_name;
  const grants: string[] = [];
  const lacks: string[] = [];
  for (const right of RIGHTS) {
    const tables = found.filter((row) => row.wanted_right === right).map((row) => row.table_name);
    if (tables.length === 0) continue;
    lacks.push(`${right} on ${tables.join(", ")}`);
    const names = tables.map((table) => `${quote(at.schema)}.${quote(table)}`).join(", ");
    grants.push(`GRANT ${right} ON ${names} TO ${quote(role)}`);
  }
  throw missing(at, `role "${role}" lacks ${lacks.join("; ")}`, grants);
}

async function ask(db: Asker, { place }: Place, text: string, values: readonly unknown[]): Promise<readonly unknown[]> {
  try {
    return (await db.query(text, values)).rows;
  } catch (error) {
    throw toStoreError(error, place);
  }
}

function missing({ place, schema }: Place, what: string, grants: readonly string[]): StepwellError {
  return new StepwellError("STORE_RIGHTS_MISSING", `${place}: ${what}. Its owner can say: ${grants.join("; ")}.`, {
    details: { place, schema, grants },
  });
}
