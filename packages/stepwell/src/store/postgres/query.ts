/**
 * Query: statements with names instead of numbers.
 *
 * The text of a statement is fixed once it is numbered, so the server plans it once per connection, under its name.
 */
import type { QueryConfig } from "pg";
import { StepwellError } from "../../model/errors.ts";
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

/** Texts of one statement, in UTF-16 code units, at most: the server takes no message of more than a gigabyte. */
const STATEMENT_LENGTH_MAX = 2 ** 28;

/**
 * @param prepared whether the server may keep the plan under the statement's name; a pooler may not let it
 * @throws STORE_WRITE_REFUSED when the values are too long for one statement
 */
export function toConfig({ name, text, binds }: Statement, values: Values, prepared: boolean): QueryConfig {
  const bound = binds.map((parameter) => toParameter(values[parameter]));
  let length = 0;
  for (const value of bound) if (typeof value === "string") length += value.length;
  if (length > STATEMENT_LENGTH_MAX) {
    const what = `${length} characters are too many for one statement; ${STATEMENT_LENGTH_MAX} are allowed`;
    throw new StepwellError("STORE_WRITE_REFUSED", what);
  }
  return prepared ? { name, text, values: bound } : { text, values: bound };
}

function toParameter(value: unknown): unknown {
  return Array.isArray(value)
    ? toArrayText(
        value.map((element: Element) => [element]),
        0,
      )
    : value;
}

/** A value of an array; undefined counts as null. */
type Element = string | number | boolean | null | undefined;

/** One column of rows, as the text of an array. The driver's own way takes three times as long (measured). */
export function toArrayText(rows: readonly (readonly Element[])[], place: number): string {
  let text = "{";
  for (let index = 0; index < rows.length; index += 1) {
    text += (index === 0 ? "" : ",") + toElement(rows[index]![place]);
  }
  return `${text}}`;
}

const SPECIAL = /["\\]/g;

function toElement(element: Element): string {
  if (element === null || element === undefined) return "NULL";
  if (typeof element !== "string") return `${element}`;
  const plain = !element.includes('"') && !element.includes("\\");
  return plain ? `"${element}"` : `"${element.replace(SPECIAL, "\\$&")}"`;
}
