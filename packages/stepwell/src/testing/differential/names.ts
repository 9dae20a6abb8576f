/**
 * Names: what runs, workers and versions are called where several stores are compared.
 *
 * Each store numbers its rows as it likes. So operations and answers are told with names, and
 * every store has a list of what those names are to it. A version's name is its identity, a
 * run's its workflow and id, `shop/order#7`; a worker's is given by who registers it.
 */

/** What has a number of the store's own. */
export type Row = "run" | "version" | "worker";

/** Fields that hold such numbers, alone or as a list, wherever they stand. */
const FIELDS = {
  rowId: "run",
  rowIds: "run",
  beforeRowId: "run",
  versionId: "version",
  versionIds: "version",
  newestVersionId: "version",
  workerId: "worker",
  newestWorkerId: "worker",
  claimFor: "worker",
} as const satisfies { readonly [field: string]: Row };

type NamedField<V> = V extends number ? string : V extends readonly number[] ? readonly string[] : V;

/** A value of the port with names in the place of row ids. */
export type Named<T> = T extends readonly (infer E)[]
  ? readonly Named<E>[]
  : T extends object
    ? { readonly [K in keyof T]: K extends keyof typeof FIELDS ? NamedField<T[K]> : Named<T[K]> }
    : T;

/** The names of one store's rows. */
export type Names = {
  /** Of a row that was answered. What was learnt first stays, so that a store which changes its mind shows. */
  readonly learn: (row: Row, name: string, id: number) => void;
  /** A name that was not learnt becomes a number that no row has. */
  readonly idOf: (row: Row, name: string) => number;
  /** All names in it. */
  readonly toIds: <T>(named: Named<T>) => T;
  /** Also of errors, which become their codes, and of workers that a text speaks of. */
  readonly toNames: (answer: unknown) => unknown;
};

/** Far beyond what any store counts to, and a 32-bit integer all the same. */
const NO_ROW = 2_000_000_000;

/** Nothing is known yet. */
export function openNames(): Names {
  const ids = new Map<string, number>();
  const names = new Map<string, string>();
  const idOf: Names["idOf"] = (row, name) => ids.get(`${row} ${name}`) ?? NO_ROW;
  const nameOf = (row: Row, id: number): string => names.get(`${row} ${id}`) ?? `unknown ${row} ${id}`;
  const toName = (value: unknown, row: Row | null): unknown => {
    if (typeof value === "number" && row !== null) return nameOf(row, value);
    if (typeof value !== "string" || !value.includes("worker ")) return value;
    return value.replaceAll(/\bworker (\d+) /g, (_, id) => `worker ${nameOf("worker", Number(id))} `);
  };
  return {
    learn: (row, name, id) => {
      if (ids.has(`${row} ${name}`)) return;
      ids.set(`${row} ${name}`, id);
      names.set(`${row} ${id}`, name);
    },
    idOf,
    toIds: <T>(named: Named<T>) =>
      mapLeaves(named, (value, row) => (typeof value === "string" && row !== null ? idOf(row, value) : value)) as T,
    toNames: (answer) => mapLeaves(answer, toName),
  };
}

/** A copy with every leaf mapped; `row`: of which it is the number or the name. Errors count as their codes. */
function mapLeaves(value: unknown, map: (leaf: unknown, row: Row | null) => unknown, row: Row | null = null): unknown {
  if (value instanceof Error) return { code: "code" in value ? value.code : value.message };
  if (Array.isArray(value)) return value.map((element) => mapLeaves(element, map, row));
  if (typeof value !== "object" || value === null) return map(value, row);
  const copy: { [field: string]: unknown } = {};
  for (const [field, part] of Object.entries(value)) copy[field] = mapLeaves(part, map, rowOf(field));
  return copy;
}

function rowOf(field: string): Row | null {
  return Object.hasOwn(FIELDS, field) ? FIELDS[field as keyof typeof FIELDS] : null;
}
