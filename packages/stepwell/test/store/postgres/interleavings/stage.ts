/**
 * Stage: one database on which operations meet again and again: two stores, each with connections of its own, two
 * connections beside them, and the tables as they were before, whenever that is wanted.
 */
import type { Client } from "pg";
import { connect } from "../../../../../../scripts/postgres/query.ts";
import { openPostgresStore } from "../../../../src/store/postgres/postgres.ts";
import type { Store } from "../../../../src/store/store.ts";
import { type Cast, enterCast } from "./cast.ts";

/** One of the two stores. */
export type Seat = {
  readonly store: Store;
  /** What its connections call themselves begins with this. */
  readonly application: string;
};

/** See the header. */
export type Stage = {
  readonly seats: readonly [Seat, Seat];
  readonly cast: Cast;
  /** Looks, and puts back. */
  readonly control: Client;
  /** Holds locks. */
  readonly holder: Client;
  readonly close: () => Promise<void>;
};

/** In the order in which they can be filled. */
const TABLES = [
  "workflows",
  "versions",
  "workers",
  "runs",
  "steps",
  "attempts",
  "inbox",
  "notes",
  "attributes",
  "breakers",
] as const;

/** Tables whose rows the server numbers. */
const NUMBERED: readonly string[] = ["workflows", "versions", "workers", "runs"];

/** A deadlock is found after this time, by default after a second. */
const DEADLOCK_TIMEOUT = "20ms";

/** Open it on an empty database. */
export async function openStage(url: string): Promise<Stage> {
  const control = await connect(url);
  const database = new URL(url).pathname.slice(1);
  await control.query(`ALTER DATABASE "${database}" SET deadlock_timeout = '${DEADLOCK_TIMEOUT}'`);
  const seats = [await openSeat(url, "first"), await openSeat(url, "second")] as const;
  const holder = await connect(url);
  for (const client of [control, holder]) await client.query("SET search_path = stepwell");
  const cast = await enterCast(seats[0].store);
  await control.query(REMEMBER);
  const close = async (): Promise<void> => {
    await Promise.all([...seats.map(({ store }) => store.close()), control.end(), holder.end()]);
  };
  return { seats, cast, control, holder, close };
}

async function openSeat(url: string, application: string): Promise<Seat> {
  const own = new URL(url);
  own.searchParams.set("application_name", application);
  return { store: await openPostgresStore(own.href), application };
}

const RESTORE = [
  ...TABLES.toReversed().map((name) => `DELETE FROM ${name}`),
  ...TABLES.map((name) => {
    const overriding = NUMBERED.includes(name) ? "OVERRIDING SYSTEM VALUE " : "";
    return `INSERT INTO ${name} ${overriding}SELECT * FROM before.${name}`;
  }),
  ...NUMBERED.map((name) => `PERFORM setval(pg_get_serial_sequence('${name}', 'id'), (SELECT max(id) FROM ${name}))`),
].join("; ");

/** A function, so that the server plans it once. */
const REMEMBER = [
  "CREATE SCHEMA before",
  ...TABLES.map((name) => `CREATE TABLE before.${name} AS TABLE ${name}`),
  `CREATE FUNCTION before.restore() RETURNS void LANGUAGE plpgsql AS $$ BEGIN ${RESTORE}; END $$`,
].join("; ");

/** Put the tables back as they were. */
export async function restore({ control }: Stage): Promise<void> {
  await control.query({ name: "restore", text: "SELECT before.restore()" });
}

type Row = Readonly<Record<string, unknown>>;

const DUMP = `SELECT ${TABLES.map((name) => `(SELECT json_agg(row) FROM ${name} AS row) AS ${name}`).join(", ")}`;

/** What stands in the tables, without what depends on who came first alone. */
export type Dump = {
  /** A line for each row, in a fixed order. */
  readonly lines: readonly string[];
  /** The line of each run, by its name. */
  readonly runs: ReadonlyMap<string, string>;
  /** What is called so: names of runs and versions by the numbers that the server gave them. */
  readonly names: ReadonlyMap<string, string>;
};

/** Read the tables. */
export async function dump({ control }: Stage): Promise<Dump> {
  const { rows } = await control.query<Record<string, readonly Row[] | null>>({ name: "dump", text: DUMP });
  const tables = Object.entries(rows[0]!);
  const names = new Map<string, string>();
  for (const [table, column] of [
    ["workflows", "name"],
    ["versions", "version"],
    ["runs", "public_id"],
  ] as const) {
    for (const row of rows[0]![table] ?? []) names.set(`${table} ${String(row["id"])}`, String(row[column]));
  }
  const lines = tables.flatMap(([table, content]) => (content ?? []).map((row) => lineOf(table, row, names)));
  const runs = new Map((rows[0]!["runs"] ?? []).map((row) => [String(row["public_id"]), lineOf("runs", row, names)]));
  return { lines: lines.toSorted(), runs, names };
}

/** Which table a number points into; the number of a claim is its worker's own affair. */
const POINTERS: Readonly<Record<string, string>> = {
  run_id: "runs",
  parent_id: "runs",
  workflow_id: "workflows",
  version_id: "versions",
};

function lineOf(table: string, row: Row, names: Dump["names"]): string {
  const told = Object.entries(row).flatMap(([column, value]) => {
    if (value === null || column === "claim_no") return [];
    const to = column === "id" ? table : POINTERS[column];
    const text = JSON.stringify(value);
    return [`${column}=${names.get(`${to} ${text}`) ?? text}`];
  });
  return `${table}: ${told.join(" ")}`;
}

/** An answer of the store, as a text, with names in place of numbers. */
export function tellAnswer(answer: unknown, { names }: Pick<Dump, "names">): string {
  return (
    JSON.stringify(answer, (key, value: unknown) => {
      if (key === "rowId") return names.get(`runs ${String(value)}`) ?? value;
      if (key === "versionId") return names.get(`versions ${String(value)}`) ?? value;
      return value instanceof Error ? `${value.name}: ${value.message}` : value;
    }) ?? "nothing"
  );
}
