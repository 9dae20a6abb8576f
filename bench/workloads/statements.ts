/**
 * Statements: what a PostgreSQL has been sent, as it counts them itself.
 */
import { withClient } from "./database.ts";

/** Since the server has begun to count. `us`: time that it spent on them. */
export type Statements = { readonly calls: number; readonly rows: number; readonly us: number };

/**
 * Of all statements sent to one database, those whose text is like `pattern`.
 *
 * @param from URL of another database of the same server, so that the question is not counted
 * @throws Error where the server does not count statements
 */
export function countStatements(url: string, from: string, pattern = "%"): Promise<Statements> {
  return withClient(from, async (client) => {
    await client.query("CREATE EXTENSION IF NOT EXISTS pg_stat_statements SCHEMA public");
    const { rows } = await client.query<Record<keyof Statements, number>>(COUNT, [
      new URL(url).pathname.slice(1),
      pattern,
    ]);
    return rows[0]!;
  });
}

const COUNT = `
  SELECT coalesce(sum(calls), 0)::float8 AS calls, coalesce(sum(rows), 0)::float8 AS rows,
         coalesce(sum(total_exec_time) * 1000, 0)::float8 AS us
  FROM public.pg_stat_statements
  WHERE dbid = (SELECT oid FROM pg_database WHERE datname = $1) AND query LIKE $2`;
