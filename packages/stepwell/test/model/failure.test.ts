/** Failures: whatever is thrown is stored within bounds, and comes back as the same error every time (P2, F25). */
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ERROR_CODES, PermanentError, RetryableError, RunFailed, StepwellError } from "../../src/model/errors.ts";
import { FINAL_CODES, failureText, parseFailure, toError, toFailure } from "../../src/model/failure.ts";

const again = (error: unknown): Error => toError(parseFailure(failureText(toFailure(error))));

/** All that a catch could look at. */
function fieldsOf(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { name, message, stack, cause } = error;
  return { prototype: Object.getPrototypeOf(error), name, message, stack, cause: fieldsOf(cause), own: { ...error } };
}

class CardDeclined extends PermanentError {
  override name = "CardDeclined";
}

describe("toFailure", () => {
  it.each<[string, unknown, object]>([
    [
      "an Error",
      new TypeError("x is not a function"),
      { name: "TypeError", message: "x is not a function", retryable: true },
    ],
    ["a text", "boom", { name: "Error", message: "boom", retryable: true }],
    ["an empty text", "", { name: "Error", message: "" }],
    ["null", null, { name: "Error", message: "null was thrown instead of an Error", retryable: true }],
    ["undefined", undefined, { message: "undefined was thrown instead of an Error" }],
    ["a number", 42, { message: "42 was thrown instead of an Error" }],
    ["a bigint", 42n, { message: "42 was thrown instead of an Error" }],
    ["a symbol", Symbol("s"), { message: "Symbol(s) was thrown instead of an Error" }],
    ["a function", () => 1, { message: "A function was thrown instead of an Error" }],
    [
      "an object",
      { status: 500 },
      { message: '{"status":500} was thrown instead of an Error', details: { status: 500 } },
    ],
    ["an object with a code", { code: "E1" }, { name: "Error", code: "E1" }],
    [
      "a Map",
      new Map(),
      { message: "An object was thrown instead of an Error", details: { dropped: "not plain JSON" } },
    ],
    ["an error-like object", { name: "E", message: "m", code: "C" }, { name: "E", message: "m", code: "C" }],
    ["a frozen error", Object.freeze(new Error("cold")), { name: "Error", message: "cold" }],
    ["an error of another realm", runInNewContext("new RangeError('far')"), { name: "RangeError", message: "far" }],
    ["a DOMException", new DOMException("gone", "AbortError"), { name: "AbortError", message: "gone" }],
    ["an error without a name", Object.assign(new Error("x"), { name: "" }), { name: "Error", message: "x" }],
    ["an error whose name is no text", Object.assign(new Error("x"), { name: 5 }), { name: "Error", message: "x" }],
    ["an error whose code is no text", Object.assign(new Error("x"), { code: 5 }), { name: "Error", message: "x" }],
    [
      "an AggregateError",
      new AggregateError([new Error("a"), "b", new Error("c")]),
      { name: "AggregateError", message: "a; c" },
    ],
    ["an error with an empty message", new Error(""), { name: "Error", message: "" }],
  ])("stores %s", (_, thrown, fields) => {
    expect(toFailure(thrown)).toMatchObject(fields);
  });

  it("keeps code, details, stack and causes", () => {
    const thrown = new PermanentError("no", {
      code: "DECLINED",
      details: { limit: 3 },
      cause: new Error("bank", { cause: "offline" }),
    });
    expect(toFailure(thrown)).toEqual({
      name: "PermanentError",
      message: "no",
      code: "DECLINED",
      retryable: false,
      details: { limit: 3 },
      stack: expect.stringContaining("failure.test.ts"),
      cause: {
        name: "Error",
        message: "bank",
        retryable: true,
        stack: expect.any(String),
        cause: { name: "Error", message: "offline", retryable: true },
      },
    });
  });

  it.each<[string, unknown]>([
    [
      "a getter that throws",
      {
        get message() {
          throw new Error("trap");
        },
      },
    ],
    [
      "an error whose getters throw",
      Object.defineProperty(new Error("x"), "message", {
        get() {
          throw new Error("trap");
        },
      }),
    ],
    ["a proxy that throws at everything", new Proxy({}, { get: bomb, getPrototypeOf: bomb, ownKeys: bomb, has: bomb })],
    ["a proxy of a function that throws", new Proxy(() => 1, { get: bomb })],
    ["a proxy that answers everything with itself", endlessProxy()],
    ["a revoked proxy", revokedProxy()],
    [
      "an error that holds a revoked proxy",
      Object.assign(new Error(""), { errors: revokedProxy(), cause: revokedProxy() }),
    ],
    ["an object without prototype", Object.create(null)],
    ["an object with a bad toString", { toString: bomb, [Symbol.toPrimitive]: bomb }],
  ])("P12, F25: never throws, whatever it is given: %s", (_, thrown) => {
    const failure = toFailure(thrown);
    expect(failure).toMatchObject({ name: expect.any(String), message: expect.any(String), retryable: true });
    expect(parseFailure(failureText(failure))).toEqual(failure);
  });

  it("P11: bounds message, stack, name, code, details and causes", () => {
    const huge = Object.assign(new Error("m".repeat(1e6)), {
      name: "n".repeat(1e4),
      code: "c".repeat(1e4),
      details: { text: "d".repeat(1e5) },
    });
    const failure = toFailure(huge);
    expect(failure.message).toHaveLength(8_192 - 40 + "… [991848 more characters]".length);
    expect(failure.stack).toMatch(
      /^n+… \[9840 more characters\]: m+… \[\d+ more characters\]\n {4}at .*failure\.test\.ts/,
    );
    expect(failure.stack!.length).toBeLessThanOrEqual(4_096);
    expect([failure.name.length <= 200, failure.code!.length <= 200]).toEqual([true, true]);
    expect(failure.details).toEqual({ dropped: "longer than 16384 characters" });
    let chain: Error = new Error("root");
    for (let index = 0; index < 10; index += 1) chain = new Error(`level ${index}`, { cause: chain });
    const messages: string[] = [];
    for (let at = toFailure(chain).cause; at !== undefined; at = at.cause) messages.push(at.message);
    expect(messages).toEqual(["level 8", "level 7", "level 6", "level 5"]);
  });

  it("cuts a stack without frames", () => {
    expect(toFailure(Object.assign(new Error("x"), { stack: "s".repeat(5_000) })).stack!.length).toBeLessThanOrEqual(
      4_096,
    );
    expect(toFailure(Object.assign(new Error("x"), { stack: 5 }))).not.toHaveProperty("stack");
  });

  it("ends on a circle of causes", () => {
    const [a, b] = [new Error("a"), new Error("b")];
    a.cause = b;
    b.cause = a;
    expect(toFailure(a)).toMatchObject({ message: "a", cause: { message: "b" } });
    expect(toFailure(a).cause).not.toHaveProperty("cause");
  });

  it("says why details were dropped, and leaves out empty ones", () => {
    const detailed = (details: unknown) => toFailure(new PermanentError("x", { details })).details;
    expect(detailed({ at: new Date(0) })).toEqual({ dropped: "not plain JSON" });
    expect(detailed([1, "a", null])).toEqual([1, "a", null]);
    expect(toFailure(new StepwellError("STORE_FULL", "x"))).not.toHaveProperty("details");
  });

  it.each([[Number.NaN], [-1], [Infinity], ["5"]])("ignores a retryAfterMs of %s", (retryAfterMs) => {
    expect(toFailure(Object.assign(new Error("x"), { retryAfterMs }))).not.toHaveProperty("retryAfterMs");
  });
});

describe("retryable", () => {
  it.each<[string, unknown, boolean]>([
    ["PermanentError", new PermanentError("x"), false],
    ["a subclass of PermanentError", new CardDeclined("x"), false],
    [
      "PermanentError of another copy of the package, by name",
      Object.assign(new Error("x"), { name: "PermanentError" }),
      false,
    ],
    ["RetryableError", new RetryableError("x"), true],
    ["RunFailed", new RunFailed({ run: { workflow: "a/b", id: "1" }, state: "failed" }), true],
    ["TypeError", new TypeError("x"), true],
    ["a StepwellError that the next attempt would meet again", new StepwellError("NOT_SERIALISABLE", "x"), false],
    ["a StepwellError that may pass", new StepwellError("STORE_BUSY", "x"), true],
    [
      "an unknown code of a newer StepwellError",
      Object.assign(new Error("x"), { name: "StepwellError", code: "NEW" }),
      true,
    ],
    ["another error with such a code", Object.assign(new Error("x"), { code: "NOT_SERIALISABLE" }), true],
  ])("P10: %s", (_, thrown, retryable) => {
    expect(toFailure(thrown).retryable).toBe(retryable);
    expect(toFailure(again(thrown)).retryable).toBe(retryable);
  });

  it("names only codes of the table as final", () => {
    expect([...FINAL_CODES].filter((code) => !Object.hasOwn(ERROR_CODES, code))).toEqual([]);
  });
});

describe("toError", () => {
  const run = { workflow: "orders/fulfil", id: "1" };

  it.each<[string, Error, new (...args: never[]) => Error]>([
    ["PermanentError", new PermanentError("x", { code: "C", details: { a: 1 } }), PermanentError],
    ["its subclass, by another name", new CardDeclined("x"), PermanentError],
    ["RetryableError", new RetryableError("x", { retryAfter: "5s" }), RetryableError],
    ["StepwellError", new StepwellError("STORE_FULL", "flush", { details: { path: "a" } }), StepwellError],
    ["StepwellError without details", new StepwellError("STORE_FULL", "flush"), StepwellError],
    ["RunFailed", new RunFailed({ run, state: "cancelled", cause: new PermanentError("why") }), RunFailed],
    ["a plain Error", new TypeError("x"), Error],
  ])("P2: rebuilds %s with all its fields", (_, thrown, ErrorClass) => {
    const error = again(thrown);
    expect(error).toBeInstanceOf(ErrorClass);
    expect({ ...error, name: error.name, message: error.message, stack: error.stack }).toEqual({
      ...thrown,
      name: thrown.name,
      message: thrown.message,
      stack: thrown.stack,
    });
    expect(String(error)).toBe(String(thrown));
  });

  it("keeps run and state of a RunFailed", () => {
    expect(again(new RunFailed({ run, state: "quarantined" }))).toMatchObject({
      run,
      state: "quarantined",
      code: "RUN_FAILED",
    });
  });

  it("hides name, stack and cause from enumeration, as Error does", () => {
    expect(Object.keys(again(new TypeError("x", { cause: "y" })))).toEqual([]);
  });

  it("rebuilds causes as errors", () => {
    expect(again(new Error("x", { cause: new PermanentError("y", { cause: "z" }) })).cause).toMatchObject({
      name: "PermanentError",
      message: "y",
      cause: { name: "Error", message: "z" },
    });
    expect(again(new Error("x"))).not.toHaveProperty("cause");
  });

  it(
    "P2: is the same error at every replay: the round trip changes nothing the second time",
    { timeout: 60_000 },
    () => {
      const plain = fc.jsonValue({ maxDepth: 3 });
      const text = fc.oneof(
        fc.string({ unit: "binary" }),
        fc.constantFrom("PermanentError", "StepwellError", "RunFailed", "STORE_FULL"),
      );
      const field = fc.option(fc.oneof(text, plain, fc.anything()), { nil: undefined });
      const errorLike = fc.record(
        {
          name: field,
          message: fc.oneof(text, fc.constant("x".repeat(9_000))),
          code: field,
          stack: field,
          cause: field,
          details: field,
          retryAfterMs: fc.oneof(fc.double(), field),
          errors: field,
        },
        { requiredKeys: [] },
      );
      const error = fc.tuple(text, errorLike).map(([message, fields]) => Object.assign(new Error(message), fields));
      fc.assert(
        fc.property(
          fc.oneof(error, errorLike, fc.anything({ withNullPrototype: true, withBigInt: true, withDate: true })),
          (thrown) => {
            const first = again(thrown);
            const second = again(first);
            expect(fieldsOf(second)).toEqual(fieldsOf(first));
            expect(failureText(toFailure(second))).toBe(failureText(toFailure(first)));
            expect(toFailure(first)).toEqual(toFailure(thrown));
          },
        ),
        { numRuns: 3_000 },
      );
    },
  );
});

describe("parseFailure", () => {
  it.each(["", "{", "null", "3", "[]", '"text"', "{}", '{"name":"E"}', '{"name":1,"message":"m"}'])(
    "refuses %j",
    (text) => {
      expect(() => parseFailure(text)).toThrow(expect.objectContaining({ code: "PAYLOAD_CORRUPT" }));
    },
  );

  it("drops fields of the wrong kind and unknown ones", () => {
    const text = JSON.stringify({ name: "E", message: "m", code: 1, retryAfterMs: "x", stack: 3, cause: 4, more: 5 });
    expect(parseFailure(text)).toEqual({ name: "E", message: "m", retryable: true });
  });

  it("cuts a chain of causes that somebody else wrote", () => {
    let text = '{"name":"E","message":"m"}';
    for (let index = 0; index < 20; index += 1) text = `{"name":"E","message":"m","cause":${text}}`;
    expect(JSON.stringify(parseFailure(text)).match(/cause/g)).toHaveLength(4);
  });
});

function bomb(): never {
  throw new Error("bomb");
}

function revokedProxy(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

function endlessProxy(): object {
  const proxy: object = new Proxy({}, { get: () => proxy });
  return proxy;
}
