/**
 * Schema: validation by any library that speaks Standard Schema (zod, valibot, arktype …).
 */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { pathText } from "./path.ts";

/** One fault of a value. `path` is like `$.items[3].when`; `$` is the value itself. */
export type SchemaIssue = { readonly path: string; readonly message: string };

/** What a validation says. `value` is the schema's output, defaults and transforms applied. */
export type Validation<Output> =
  | { readonly ok: true; readonly value: Output }
  | { readonly ok: false; readonly issues: readonly SchemaIssue[] };

/** Issues shown in one message; the rest is counted. */
const ISSUES_SHOWN_MAX = 50;

/** Validate `value`, also with an asynchronous schema. Rejects only when the schema itself throws. */
export async function validate<S extends StandardSchemaV1>(
  schema: S,
  value: unknown,
): Promise<Validation<StandardSchemaV1.InferOutput<S>>> {
  const result = await schema["~standard"].validate(value);
  if (result.issues === undefined) return { ok: true, value: result.value as StandardSchemaV1.InferOutput<S> };
  return { ok: false, issues: toIssues(result.issues) };
}

/** A schema's own issues, with their paths as text. */
export function toIssues(issues: readonly StandardSchemaV1.Issue[]): readonly SchemaIssue[] {
  return issues.map((issue) => ({ path: issuePath(issue), message: issue.message }));
}

/** All issues in one line: `$.email: Invalid email; $.age: Too small`. */
export function issuesText(issues: readonly SchemaIssue[]): string {
  const shown = issues.slice(0, ISSUES_SHOWN_MAX).map(({ path, message }) => `${path}: ${message}`);
  const left = issues.length - shown.length;
  return left === 0 ? shown.join("; ") : `${shown.join("; ")}; and ${left} more`;
}

function issuePath(issue: StandardSchemaV1.Issue): string {
  const keys = (issue.path ?? []).map((part) => (typeof part === "object" ? part.key : part));
  return pathText(keys.map((key) => ({ kind: "key", key })));
}
