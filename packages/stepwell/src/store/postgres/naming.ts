/**
 * Naming: statements as one schema of one database knows them.
 *
 * The .sql files name tables alone. Here each name gets its schema, so that no search path is needed: behind a pooler a
 * connection may have anybody's. A prepared statement's name ends in a digest of its text: through one pooler come
 * engines of several schemas and releases, and what the server keeps under a name must be what all of them mean.
 */
import { createHash } from "node:crypto";
import { quote, type Statement } from "./query.ts";
import { MIGRATIONS } from "./sql.generated.ts";

/** The statement with its names completed; the same object for the same statement. */
export type Naming = (statement: Statement) => Statement;

/** Of every migration, since the name of a table is not given to anything else. */
const TABLES = MIGRATIONS.flatMap(({ sql }) => [...sql.matchAll(/^CREATE TABLE (\w+)/gm)].map(([, name]) => name!));

/** Texts and comments, or a table where a table may stand. The name alone may also be a column's, or an alias. */
const TABLE = new RegExp(
  `'(?:[^']|'')*'|--[^\\n]*|(?<=\\b(?:(?<!DISTINCT\\s+)FROM|JOIN|INTO|UPDATE|ONLY|USING)\\s+)(${TABLES.join("|")})\\b`,
  "g",
);

/** The server keeps 63 letters of a name. */
const NAME_LENGTH_MAX = 50;

/** @param schema as it is, not quoted */
export function openNaming(schema: string): Naming {
  const named = new Map<string, { readonly from: Statement; readonly to: Statement }>();
  return (from) => {
    const known = named.get(from.name);
    if (known !== undefined && known.from.text === from.text) return known.to;
    const text = qualify(from.text, schema);
    const digest = createHash("sha256").update(text).digest("hex").slice(0, 12);
    const to = { ...from, text, name: `${from.name.slice(0, NAME_LENGTH_MAX)} ${digest}` };
    named.set(from.name, { from, to });
    return to;
  };
}

/** Put the schema before the names of tables. */
export function qualify(text: string, schema: string): string {
  return text.replace(TABLE, (token, table: string | undefined) =>
    table === undefined ? token : `${quote(schema)}.${table}`,
  );
}
