/** What cannot be stored is refused before the write, with the path to it (P12, F23). */
import { describe, expect, it } from "vitest";
import { copyValue } from "../../src/model/copy.ts";
import { LIMITS_DEFAULT } from "../../src/model/json.ts";

class Invoice {
  total = 1;
}

class Day extends Date {}

const copy = (value: unknown): unknown => copyValue(value, LIMITS_DEFAULT).value;

const misnamed = Object.defineProperty(() => 1, "name", { value: 5 });

const revoked = (): object => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
};

const trap = (thrown: unknown) => ({
  before: 1,
  get trap(): unknown {
    throw thrown;
  },
});

describe("NOT_SERIALISABLE names the path and the reason", () => {
  it.each<[string, string, () => unknown]>([
    ["$", "is a function", () => () => 1],
    ["$", "is a symbol, Symbol(s)", () => Symbol("s")],
    ["$.items[3].when", "is a function", () => ({ items: [0, 1, 2, { when: () => 1 }] })],
    ['$["unit price"]', "is a symbol, Symbol(s)", () => ({ "unit price": Symbol("s") })],
    ["$.a", "has a symbol for a key, Symbol(k)", () => ({ a: { [Symbol("k")]: 1 } })],
    ["$.a", "is an instance of Invoice", () => ({ a: new Invoice() })],
    ["$[0]", "is an instance of Day", () => [new Day(0)]],
    ["$[0]", "is an instance of Promise; await it first", () => [Promise.resolve(1)]],
    ["$", "is an instance of WeakMap", () => new WeakMap()],
    ["$", "is an instance of Number", () => Object(1)],
    ["$", "is an instance of RegExp", () => /x/],
    ["$", "is an instance of Float64Array", () => new Float64Array(1)],
    ["$", "is an instance of ArrayBuffer", () => new ArrayBuffer(1)],
    ["$", "is an instance of a class without name", () => Object.create({ constructor: 5 })],
    ["$", "is an instance of a class without name", () => Object.create({ inherited: 1 })],
    ["$", "is an instance of a class without name", () => Object.create(Object.create(null))],
    ["$", "is an instance of a class without name", () => Object.create({ constructor: misnamed })],
    ["$", "is an instance of a class without name", () => new (class extends Array {})()],
    ["$", "is an instance of Rows", () => new (class Rows extends Array {})()],
    ["$", 'is an array with a field of its own, "total"', () => Object.assign([1], { total: 2 })],
    ["$.m", 'is an array with a field of its own, "index"', () => ({ m: "ab".match(/b/) })],
    ["$.list[1]", "is a hole in a sparse array", () => ({ list: Object.assign([1], { 2: 3 }) })],
    ['$.get("a")[0]', "is a function", () => new Map([["a", [() => 1]]])],
    ["$.get(1)", "is a function", () => new Map([[1, () => 1]])],
    ["$.values()[0]", "is a function", () => new Map([[{}, () => 1]])],
    [
      "$.keys()[1].k",
      "is a symbol, Symbol(s)",
      () =>
        new Map<unknown, unknown>([
          ["a", 1],
          [{ k: Symbol("s") }, 1],
        ]),
    ],
    ["$.values()[1]", "is a function", () => new Set([1, () => 1])],
    ["$[0].run", "is a function", () => [Object.assign(new Error("x"), { run: () => 1 })]],
    ["$.cause[0]", "is a function", () => new Error("x", { cause: [() => 1] })],
    ["$", "has a symbol for a key, Symbol(k)", () => Object.assign(new Error("x"), { [Symbol("k")]: 1 })],
    ["$.a.trap", "cannot be read: boom", () => ({ a: trap(new Error("boom")) })],
    ["$.trap", "cannot be read: a text", () => trap("a text")],
    [
      "$.trap",
      "cannot be read: reading it threw",
      () =>
        trap({
          toString: () => {
            throw new Error("no");
          },
        }),
    ],
    [
      "$[1]",
      "cannot be read: boom",
      () =>
        Object.defineProperty([1, 2], 1, {
          get: () => {
            throw new Error("boom");
          },
        }),
    ],
    // Here each runtime has words of its own.
    ["$.p", "cannot be read: ", () => ({ p: revoked() })],
    [
      "$.p",
      "cannot be read: hidden",
      () => ({
        p: new Proxy(
          {},
          {
            ownKeys: () => {
              throw new Error("hidden");
            },
          },
        ),
      }),
    ],
    ["$.p", "cannot be read: ", () => ({ p: new Proxy(new Date(0), {}) })],
  ])("%s %s", (path, reason, make) => {
    const value = make();
    const attempt = () => copy(value);
    expect(attempt).toThrow(expect.objectContaining({ code: "NOT_SERIALISABLE", details: { path } }));
    expect(attempt).toThrow(`NOT_SERIALISABLE: the value at ${path} ${reason}`);
  });

  it("keeps what an accessor threw as the cause", () => {
    const thrown = new Error("boom");
    expect(() => copy(trap(thrown))).toThrow(expect.objectContaining({ cause: thrown }));
  });

  it("tells a proxy that throws once from an accessor that always does", () => {
    let calls = 0;
    const flaky = {
      get a() {
        calls += 1;
        if (calls === 1) throw new Error("once");
        return 1;
      },
    };
    expect(() => copy({ flaky })).toThrow("NOT_SERIALISABLE: the value at $.flaky cannot be read: once");
  });
});

describe("cycles are named with both ends", () => {
  it("in objects and arrays", () => {
    const order: Record<string, unknown> = { id: 1 };
    order["items"] = [{ sku: "a" }, { order }];
    const attempt = () => copy({ order });
    expect(attempt).toThrow(
      "NOT_SERIALISABLE: the value at $.order.items[1].order is a cycle: it is the same object as $.order.",
    );
    expect(attempt).toThrow(
      expect.objectContaining({ details: { path: "$.order.items[1].order", cycleTo: "$.order" } }),
    );
  });

  it("at the root, in Map, Set and cause", () => {
    const self: unknown[] = [];
    self.push(self);
    expect(() => copy(self)).toThrow("the value at $[0] is a cycle: it is the same object as $.");
    const map = new Map<string, unknown>();
    map.set("me", new Set([map]));
    expect(() => copy(map)).toThrow('the value at $.get("me").values()[0] is a cycle: it is the same object as $.');
    const error = new Error("x");
    error.cause = error;
    expect(() => copy([error])).toThrow("the value at $[0].cause is a cycle: it is the same object as $[0].");
  });

  it("also where the size runs out before the depth does", () => {
    const large: Record<string, unknown> = { text: "x".repeat(1_000_000) };
    large["again"] = large;
    expect(() => copy(large)).toThrow("the value at $.again is a cycle: it is the same object as $.");
  });

  it("but depth alone, without a repeated object, is no cycle", () => {
    let nested: unknown = {};
    for (let level = 0; level < 100; level += 1) nested = { nested };
    expect(() => copy(nested)).toThrow(
      /^PAYLOAD_TOO_DEEP: the value at \$(\.nested)+.*….*(\.nested)+ is nested more than 100 deep\./,
    );
  });
});

describe("limits name the path", () => {
  it.each<[unknown, string]>([
    [
      { a: [{ text: "x".repeat(3e6) }] },
      "PAYLOAD_TOO_LARGE: the value at $.a[0].text takes the payload past 2097152 bytes.",
    ],
    [
      { a: Array.from({ length: 3e6 }, () => 1) },
      "PAYLOAD_TOO_LARGE: the value at $.a takes the payload past 2097152 bytes.",
    ],
    [
      [Object.fromEntries(Array.from({ length: 10_001 }, (_, n) => [`k${n}`, n]))],
      "PAYLOAD_TOO_MANY_KEYS: the value at $[0] has 10001 keys of at most 10000.",
    ],
    ["\n".repeat(2e6), "PAYLOAD_TOO_LARGE: the value at $ takes 4000002 bytes of at most 2097152."],
  ])("%#", async (value, message) => {
    const { encode } = await import("../../src/model/json.ts");
    expect(() => encode(value)).toThrow(message);
  });
});

it("says whether JSON.stringify alone can write the copy", () => {
  const tagged = (value: unknown) => copyValue(value, LIMITS_DEFAULT).tagged;
  expect([{ a: [1, "x", null, true] }, "x", []].map(tagged)).toEqual([false, false, false]);
  expect(
    [undefined, -0, Number.NaN, 1n, [new Date(0)], { $sw: 1 }, new Set(), new Error("x")].map(tagged),
  ).not.toContain(false);
});
