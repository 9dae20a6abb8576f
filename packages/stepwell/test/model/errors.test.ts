/** The table of errors and its document, and the classes that users meet. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  ERROR_CODES,
  type ErrorCode,
  PermanentError,
  RetryableError,
  RunFailed,
  StepwellError,
} from "../../src/model/errors.ts";

const CODES = Object.keys(ERROR_CODES) as ErrorCode[];

describe("the table", () => {
  it.each(CODES)("says cause and cure of %s in plain sentences", (code) => {
    for (const text of [ERROR_CODES[code].cause, ERROR_CODES[code].cure]) {
      expect(text).toMatch(/^[A-Z].*\.$/);
      expect(text.length).toBeLessThan(140);
    }
  });

  it("agrees with docs/errors.md: every code has its heading, every heading its code, in the same order", () => {
    const headings = [...documentText().matchAll(/^### (\S+)$/gm)].map((match) => match[1]);
    expect(headings).toEqual(CODES);
  });

  it.each(CODES)("agrees with docs/errors.md about %s, word for word", (code) => {
    const section = documentText().split(`### ${code}\n`)[1]?.split(/^##/m)[0] ?? "";
    const { cause, cure } = ERROR_CODES[code];
    expect(section.startsWith(`\n${cause}\n\n**Cure:** ${cure}\n`)).toBe(true);
  });
});

describe("StepwellError", () => {
  it("reads as two sentences, the place and the cure", () => {
    const error = new StepwellError("OPTION_UNKNOWN", 'retry of step charge: there is no option "x"');
    expect(error.message).toBe('OPTION_UNKNOWN: retry of step charge: there is no option "x". Correct or remove it.');
    expect(new StepwellError("ENGINE_CLOSED", "start: closed!").message).toMatch(/^ENGINE_CLOSED: start: closed! /);
    expect(new StepwellError("ENGINE_CLOSED", "Really?").message).toMatch(/^ENGINE_CLOSED: Really\? Call/);
  });

  it("carries code, details and cause", () => {
    const cause = new Error("disk");
    const error = new StepwellError("STORE_FAILED", "flush", { details: { rows: 3 }, cause });
    expect(error).toMatchObject({ name: "StepwellError", code: "STORE_FAILED", details: { rows: 3 }, cause });
    expect(error).toBeInstanceOf(Error);
    const bare = new StepwellError("STORE_FAILED", "flush");
    expect(bare.details).toEqual({});
    expect(Object.hasOwn(bare, "cause")).toBe(false);
  });

  it("names its class in the stack, and on the class alone", () => {
    const error = new StepwellError("STORE_FULL", "flush");
    expect(error.stack).toMatch(/^StepwellError: STORE_FULL: flush\./);
    expect(Object.hasOwn(error, "name")).toBe(false);
  });
});

describe("PermanentError and RetryableError", () => {
  it.each([
    ["PermanentError", PermanentError],
    ["RetryableError", RetryableError],
  ] as const)("%s carries what it is given and nothing else", (name, ErrorClass) => {
    const cause = new Error("socket");
    const error = new ErrorClass("no", { code: "DECLINED", cause, details: { limit: 3 } });
    expect(error).toMatchObject({ name, message: "no", code: "DECLINED", details: { limit: 3 }, cause });
    expect(error.stack).toMatch(new RegExp(`^${name}: no\n`));
    expect(Object.keys(new ErrorClass("no"))).toEqual([]);
    expect(Object.hasOwn(new ErrorClass("no"), "cause")).toBe(false);
  });

  it("keeps retryAfter in milliseconds", () => {
    expect(new RetryableError("busy", { retryAfter: "1m30s" }).retryAfterMs).toBe(90_000);
    expect(new RetryableError("busy", { retryAfter: 0 }).retryAfterMs).toBe(0);
    expect(new RetryableError("busy").retryAfterMs).toBeUndefined();
  });

  it("refuses a retryAfter that cannot be read", () => {
    expect(() => new RetryableError("busy", { retryAfter: "soon" })).toThrow(
      'DURATION_INVALID: retryAfter of a RetryableError: "soon" cannot be read.',
    );
  });

  it("can be extended with a name of one's own", () => {
    class CardDeclined extends PermanentError {
      override name = "CardDeclined";
    }
    expect(new CardDeclined("no")).toMatchObject({ name: "CardDeclined", message: "no" });
  });
});

describe("RunFailed", () => {
  const run = { workflow: "orders/fulfil", id: "order:42" };

  it.each([
    ["failed", "RUN_FAILED", 'Run "order:42" of orders/fulfil failed: no card'],
    ["cancelled", "RUN_CANCELLED", 'Run "order:42" of orders/fulfil was cancelled: no card'],
    ["quarantined", "RUN_FAILED", 'Run "order:42" of orders/fulfil was quarantined: no card'],
  ] as const)("tells a run that is %s", (state, code, message) => {
    const cause = new Error("no card");
    const error = new RunFailed({ run, state, cause });
    expect(error).toMatchObject({ name: "RunFailed", message, code, run, state, cause });
  });

  it("does without a message of its cause", () => {
    expect(new RunFailed({ run, state: "failed" }).message).toBe('Run "order:42" of orders/fulfil failed');
    expect(new RunFailed({ run, state: "failed", cause: new Error("") }).message).toMatch(/failed$/);
    expect(new RunFailed({ run, state: "failed", cause: "text" }).message).toMatch(/failed$/);
  });
});

function documentText(): string {
  return readFileSync(new URL("../../../../docs/errors.md", import.meta.url), "utf8");
}
