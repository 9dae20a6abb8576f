/**
 * Inlines the .sql files of each store into `sql.generated.ts` beside them, because bundlers lose loose files.
 *
 *     node scripts/build-sql.ts            write
 *     node scripts/build-sql.ts --check    exit with 1 when a module is stale, naming it
 *
 * In queries.sql, and other .sql files beside it, every statement stands under `-- name: camelCase` and names its
 * parameters `:rowId`. For SQLite they become positional, which the driver binds fastest. For PostgreSQL the names stay:
 * its flush is put together from parts, and numbered then. Migrations are numbered files `0001-runs.sql`, kept as
 * written; `0002-what.down.sql` beside one is the way back from it.
 */
import { existsSync, globSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

const ROOT = join(import.meta.dirname, "..");
const STORES = "packages/stepwell/src/store/*/queries.sql";

/** One statement with positional parameters. `binds` names them in order; a name that is used twice stands twice. */
export type Query = { readonly name: string; readonly sql: string; readonly binds: readonly string[] };

/** A numbered migration. `down` undoes it; null: of the first. */
export type MigrationFile = {
  readonly number: number;
  readonly name: string;
  readonly sql: string;
  readonly down: string | null;
};

/** Split a queries.sql; throws when a name is missing, malformed or used twice, or a statement is not one. */
export function parseQueries(text: string): readonly Query[] {
  const [, ...sections] = text.split(/^-- name:/m);
  const queries = sections.map(parseQuery);
  const names = queries.map((query) => query.name);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) throw new Error(`two queries are named ${twice}`);
  return queries;
}

function parseQuery(section: string): Query {
  const name = section.split("\n", 1)[0]!.trim();
  if (!/^[a-z][A-Za-z0-9]*$/.test(name)) throw new Error(`"${name}" is not a name in camelCase`);
  const { sql, binds } = toPositional(bodyOf(section));
  if (!sql.endsWith(";") || sql.indexOf(";") !== sql.length - 1) {
    throw new Error(`${name} is not one statement that ends in ;`);
  }
  return { name, sql: sql.slice(0, -1), binds };
}

function bodyOf(section: string): string {
  const [, ...lines] = section.split("\n");
  return lines
    .filter((line) => !line.startsWith("--"))
    .join("\n")
    .trim();
}

/** Replace `:name` by `?`, except in texts 'like :this', in comments, and in PostgreSQL's casts `::json`. */
export function toPositional(named: string): { readonly sql: string; readonly binds: readonly string[] } {
  const binds: string[] = [];
  const sql = named.replace(/'(?:[^']|'')*'|--[^\n]*|::\w+|:([a-zA-Z]\w*)/g, (token, name: string | undefined) => {
    if (name === undefined) return token;
    binds.push(name);
    return "?";
  });
  return { sql, binds };
}

/** The migrations of a folder by number; throws when the numbers are not 1, 2, 3, … or a way back is missing. */
export function listMigrations(folder: string): readonly MigrationFile[] {
  const files = existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith(".sql")) : [];
  const read = (file: string): string => readFileSync(join(folder, file), "utf8").trim();
  const ups = files.filter((file) => !file.endsWith(".down.sql")).toSorted();
  const migrations = ups.map((file, at) => {
    const number = Number(/^(\d{4})-[a-z0-9-]+\.sql$/.exec(file)?.[1]);
    if (number !== at + 1) throw new Error(`${file}: migrations are named 0001-what.sql and numbered without gaps`);
    const name = file.slice(0, -".sql".length);
    const back = `${name}.down.sql`;
    if (number > 1 !== files.includes(back)) {
      throw new Error(`${back}: each migration has a way back, but for the first`);
    }
    return { number, name, sql: read(file), down: number === 1 ? null : read(back) };
  });
  const odd = files.find((file) => file.endsWith(".down.sql") && !ups.includes(file.replace(/\.down\.sql$/, ".sql")));
  if (odd !== undefined) throw new Error(`${odd} undoes nothing`);
  return migrations;
}

/** As parseQueries, with the parameters' names kept in the text. */
export function parseNamedQueries(text: string): readonly Query[] {
  const [, ...sections] = text.split(/^-- name:/m);
  const named = new Map(sections.map((section) => [section.split("\n", 1)[0]!.trim(), bodyOf(section)]));
  return parseQueries(text).map((query) => ({ ...query, sql: named.get(query.name)!.replace(/;$/, "") }));
}

/** The text of sql.generated.ts. */
export function renderModule(queries: readonly Query[], migrations: readonly MigrationFile[]): string {
  return [
    "/** Generated from the .sql files beside it by `npm run generate`. Do not edit. */",
    "",
    "/** Statements by name; each comment lists what to bind, in order. */",
    "export const QUERIES = {",
    ...queries.map(({ name, sql, binds }) => `  /** (${binds.join(", ")}) */\n  ${name}: ${toTemplate(sql)},`),
    "} as const;",
    "",
    "/** Migrations, by number. */",
    "export const MIGRATIONS = [",
    ...migrations.map(
      ({ number, name, sql, down }) =>
        `  {\n    number: ${number},\n    name: ${JSON.stringify(name)},\n    sql: ${toTemplate(sql)},\n` +
        `    down: ${down === null ? "null" : toTemplate(down)},\n  },`,
    ),
    "] as const;",
    "",
  ].join("\n");
}

/** queries.sql, then the others by name. */
function readQueries(folder: string): string {
  const files = readdirSync(folder).filter((file) => file.endsWith(".sql") && file !== "queries.sql");
  return ["queries.sql", ...files.toSorted()].map((file) => readFileSync(join(folder, file), "utf8")).join("\n");
}

function toTemplate(text: string): string {
  return `\`${text.replaceAll(/[\\`]|\$\{/g, (special) => `\\${special}`)}\``;
}

function main(check: boolean): void {
  for (const queriesFile of globSync(STORES, { cwd: ROOT }).toSorted()) {
    const folder = join(ROOT, dirname(queriesFile));
    const target = join(folder, "sql.generated.ts");
    const parse = folder.endsWith("postgres") ? parseNamedQueries : parseQueries;
    const wanted = renderModule(parse(readQueries(folder)), listMigrations(join(folder, "migrations")));
    const found = existsSync(target) ? readFileSync(target, "utf8") : null;
    if (found === wanted) continue;
    if (check) {
      console.error(`${relative(ROOT, target)} is stale; run \`npm run generate\` and commit it.`);
      process.exitCode = 1;
    } else {
      writeFileSync(target, wanted);
      console.log(`wrote ${relative(ROOT, target)}`);
    }
  }
}

if (import.meta.main) main(process.argv.includes("--check"));
