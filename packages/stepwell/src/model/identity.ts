/**
 * Identity: what a workflow is called, and which version may continue whose runs.
 *
 *     namespace/name@version     orders/fulfil@2.1.0
 *
 * Versions are Semantic Versioning 2.0.0 (semver.org): ordered by its clause 11,
 * build metadata accepted and ignored.
 */
import { StepwellError } from "./codes.ts";
import type { Identity } from "./run.ts";

/** A version, taken apart. `prerelease` holds the parts between dots; empty for a release. */
export type VersionParts = {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
  readonly prerelease: readonly string[];
};

/** Where a name without a slash lives. */
export const NAMESPACE_DEFAULT = "default";

const PART_LENGTH_MAX = 100;
const VERSION_LENGTH_MAX = 100;
const PART = /^[a-z0-9][a-z0-9_.-]*$/;
const NUMBER = "0|[1-9]\\d{0,14}";
const VERSION = new RegExp(`^(${NUMBER})\\.(${NUMBER})\\.(${NUMBER})(?:-([0-9A-Za-z.-]+))?(?:\\+[0-9A-Za-z.-]+)?$`);
const PRERELEASE_PART = /^(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)$/;

/**
 * Read "orders/fulfil" or "fulfil".
 *
 * @param where names the place in the error, as "workflow(…)"
 * @throws WORKFLOW_INVALID
 */
export function parseWorkflowName(text: string, where: string): { readonly namespace: string; readonly name: string } {
  const parts = typeof text === "string" ? text.split("/", 3) : [];
  const [first = "", second] = parts;
  const [namespace, name] = second === undefined ? [NAMESPACE_DEFAULT, first] : [first, second];
  if (parts.length <= 2 && isPart(namespace) && isPart(name)) return { namespace, name };
  throw invalid(
    `${where}: ${show(text)} is not a name; each of its one or two parts takes a-z, 0-9, "_", "." and "-", ` +
      `begins with a letter or digit, and has at most ${PART_LENGTH_MAX} characters`,
  );
}

/** Read "2.1.0" or "2.1.0-rc.1"; WORKFLOW_INVALID otherwise. */
export function parseVersion(text: string): VersionParts {
  const match = typeof text === "string" && text.length <= VERSION_LENGTH_MAX ? VERSION.exec(text) : null;
  const prerelease = match?.[4] === undefined ? [] : match[4].split(".");
  if (match === null || !prerelease.every((part) => PRERELEASE_PART.test(part))) {
    throw invalid(`version ${show(text)} is not major.minor.patch as in Semantic Versioning`);
  }
  return { major: Number(match[1]), minor: Number(match[2]), patch: Number(match[3]), prerelease };
}

/** Below 0: `a` comes before `b`. 0: equal precedence. WORKFLOW_INVALID when one cannot be read. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [parseVersion(a), parseVersion(b)];
  return (
    left.major - right.major ||
    left.minor - right.minor ||
    left.patch - right.patch ||
    comparePrerelease(left.prerelease, right.prerelease)
  );
}

/** `namespace/name@version`. */
export function identityText(identity: Identity): string {
  return `${identity.namespace}/${identity.name}@${identity.version}`;
}

/** Whether code of version `registered` may continue a run pinned to `pinned`: same major, not older. */
export function canContinue(registered: string, pinned: string): boolean {
  return parseVersion(registered).major === parseVersion(pinned).major && compareVersions(registered, pinned) >= 0;
}

/** A release comes after its prereleases; parts compare as numbers before texts; the longer list wins a tie. */
function comparePrerelease(left: readonly string[], right: readonly string[]): number {
  if (left.length === 0 || right.length === 0) return right.length - left.length;
  for (const [index, part] of left.entries()) {
    const other = right[index];
    if (other === undefined) return 1;
    const order = comparePart(part, other);
    if (order !== 0) return order;
  }
  return left.length - right.length;
}

function comparePart(left: string, right: string): number {
  const [leftNumber, rightNumber] = [/^\d+$/.test(left), /^\d+$/.test(right)];
  if (leftNumber && rightNumber) return Number(left) - Number(right);
  if (leftNumber !== rightNumber) return leftNumber ? -1 : 1;
  return left < right ? -1 : left > right ? 1 : 0;
}

function isPart(text: string): boolean {
  return text.length <= PART_LENGTH_MAX && PART.test(text);
}

function invalid(what: string): StepwellError {
  return new StepwellError("WORKFLOW_INVALID", what);
}

function show(text: unknown): string {
  return typeof text === "string" ? JSON.stringify(text.slice(0, 200)) : `a ${typeof text}`;
}
