/**
 * Query: statements with names instead of numbers.
 *
 * The text of a statement is fixed once it is numbered, so the server plans it once per connection, under its name.
 */
import type { QueryConfig, QueryResult } from "pg";
import { QUERIES } from "./sql.generated.ts";

/** One statement, ready to be sent. */
export type Statement = {
  /** Under which the server keeps the plan. */
  readonly name: string;
  /** With `$1`, `$2` … for its parameters. */
  readonly text: string;
  /** The parameters' names, in the order of their numbers. */
  readonly binds: readonly string[];
};

/** Values by parameter. Arrays of texts and numbers are sent as arrays of the server. */
export type Values = Readonly<Record<string, unknown>>;

/** A row as the driver gives it. */
export type Row = Readonly<Record<string, unknown>>;

/** Whatever sends a statement: one connection, or the next free one of several. */
export type Sender = { readonly query: (config: QueryConfig) => Promise<QueryResult> };

const PARAMETER = /'(?:[^']|'')*'|--[^\n]*|::\w+|:([a-zA-Z]\w*)/g;

/** Number the parameters of a text; a name that stands twice has one number. */
export function toStatement(name: string, named: string): Statement {
  const binds: string[] = [];
  const text = named.replace(PARAMETER, (token, parameter: string | undefined) => {
    if (parameter === undefined) return token;
    if (!binds.includes(parameter)) binds.push(parameter);
    return `$${binds.indexOf(parameter) + 1}`;
  });
  return { name, text, binds };
}

/** A name as SQL writes it, whatever is in it. */
export function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** The statements of the .sql files. */
export type QueryName = keyof typeof QUERIES;

const numbered = new Map<QueryName, Statement>();

/** The statement of that name in the .sql files. */
export function statementOf(name: QueryName): Statement {
  let statement = numbered.get(name);
  if (statement === undefined) numbered.set(name, (statement = toStatement(name, QUERIES[name])));
  return statement;
}

/** The text of a statement of the .sql files, with its parameters' names. */
export function statementTextOf(name: QueryName): string {
  return QUERIES[name];
}

/** @param prepared whether the server may keep the plan under the statement's name; a pooler may not let it */
export function toConfig({ name, text, binds }: Statement, values: Values, prepared: boolean): QueryConfig {
  const bound = binds.map((parameter) => toParameter(values[parameter]));
  return prepared ? { name, text, values: bound } : { text, values: bound };
}

/** The driver's own way with arrays takes three times as long (measured with 512 texts of 200 bytes). */
function toParameter(value: unknown): unknown {
  if (!Array.isArray(value)) return value;
  const elements = value as readonly Element[];
  let text = "{";
  for (let index = 0; index < elements.length; index += 1) {
    text += (index === 0 ? "" : ",") + toElement(elements[index]);
  }
  return `${text}}`;
}

const SPECIAL = /["\\]/g;

type Element = string | number | boolean | null | undefined;

function toElement(element: Element): string {
  if (element === null || element === undefined) return "NULL";
  return typeof element === "string" ? `"${element.replace(SPECIAL, "\\$&")}"` : `${element}`;
}
