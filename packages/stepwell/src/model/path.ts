/**
 * Path: where in a value something is, as text for people: `$.items[3].when`.
 */

/** One step down: a key of an object or array, or a text shown as it is, such as `.get("a")` of a Map. */
export type PathPart =
  | { readonly kind: "key"; readonly key: PropertyKey }
  | { readonly kind: "text"; readonly text: string };

/** Longest path shown; the middle of a longer one is left out. */
const PATH_LENGTH_MAX = 300;

/** The path from the root, `$`, down through `parts`. */
export function pathText(parts: readonly PathPart[]): string {
  const text = `$${parts.map((part) => (part.kind === "text" ? part.text : keyText(part.key))).join("")}`;
  return text.length <= PATH_LENGTH_MAX ? text : `${text.slice(0, 150)}…${text.slice(-120)}`;
}

function keyText(key: PropertyKey): string {
  if (typeof key === "number") return `[${key}]`;
  if (typeof key === "symbol") return `[${String(key)}]`;
  return /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}
