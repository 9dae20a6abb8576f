/**
 * Refusal: the one way in which the kit says that something is not as it should be. A plain
 * AssertionError of Node: every test runner knows it, and shows the difference of `actual` and `expected`.
 */
import { AssertionError } from "node:assert";

/** What was compared, for runners that show differences. */
export type Compared = { readonly actual: unknown; readonly expected: unknown };

/** An AssertionError. With `frames` its stack leads to the test, not into the kit. */
export function refusal(
  message: string,
  compared: Compared | null = null,
  frames: string | null = null,
): AssertionError {
  const error = new AssertionError({ message, ...compared, operator: "stepwell" });
  if (frames !== null) error.stack = `${error.name}: ${message}\n${frames}`;
  return error;
}

/** The stack above `below`, without its header. */
export function framesAbove(below: (...args: never[]) => unknown): string {
  const holder: { stack?: string } = {};
  Error.captureStackTrace(holder, below);
  const { stack = "" } = holder;
  return stack.slice(stack.indexOf("\n") + 1);
}
