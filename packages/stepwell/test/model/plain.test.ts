/** Bounded copies of untrusted things: they never throw and never grow. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { copyPlain, isEscapedKey, shorten, showValue } from "../../src/model/plain.ts";

const throwing = {
  get trap() {
    throw new Error("boom");
  },
};
const deep = (levels: number): unknown => (levels === 0 ? 1 : [deep(levels - 1)]);

describe("copyPlain", () => {
  it.each([
    [null],
    [true],
    [1.5],
    ["text"],
    [[]],
    [{}],
    [{ a: [1, { b: null }] }],
    [Object.assign(Object.create(null), { a: 1 })],
    [JSON.parse('{"__proto__":{"a":1}}')],
    [deep(32)],
  ])("copies %j", (value) => {
    const copied = copyPlain(value, 1_000);
    expect(copied).toMatchObject({ ok: true, text: JSON.stringify(value) });
    expect(copied.ok && JSON.stringify(copied.value)).toBe(JSON.stringify(value));
  });

  it("makes 0 of −0, as JSON does", () => {
    expect(copyPlain([-0], 100)).toEqual({ ok: true, value: [0], text: "[0]" });
  });

  it("leaves out undefined properties", () => {
    expect(copyPlain({ a: undefined, b: 1 }, 100)).toEqual({ ok: true, value: { b: 1 }, text: '{"b":1}' });
  });

  it.each([
    [undefined],
    [() => 1],
    [Symbol("s")],
    [1n],
    [Number.NaN],
    [new Date(0)],
    [new Map()],
    [[undefined]],
    [{ a: [() => 1] }],
    [{ toJSON: () => 1 }],
    [{ "a\nb": 1 }],
    [{ a: { 'say "hi"': 1 } }],
    [deep(33)],
  ])("%# is not plain JSON", (value) => {
    expect(copyPlain(value, 1_000)).toEqual({ ok: false, why: "not plain JSON" });
  });

  it.each([
    ["x".repeat(1_001)],
    [Array.from({ length: 501 }, () => 1)],
    [{ ["k".repeat(1_000)]: 1 }],
    ["\u0000".repeat(300)],
    [Array.from({ length: 1e6 }, () => 1)],
  ])("%# is too long", (value) => {
    expect(copyPlain(value, 1_000)).toEqual({ ok: false, why: "longer than 1000 characters" });
  });

  it("survives what throws when it is read", () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    for (const value of [throwing, [proxy], { a: proxy }]) {
      expect(copyPlain(value, 100)).toEqual({ ok: false, why: "reading it threw" });
    }
  });

  it("ends on a cycle", () => {
    const cycle: unknown[] = [];
    cycle.push(cycle);
    expect(copyPlain(cycle, 1_000)).toEqual({ ok: false, why: "not plain JSON" });
  });
});

describe("isEscapedKey", () => {
  it("holds for every key that JSON.stringify escapes", () => {
    const unit = fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code));
    const key = fc.oneof(
      fc.string({ unit: "binary" }),
      unit,
      fc.constantFrom("\ud83d\ude80", "\ude80", "\\", '"', "\u001f"),
    );
    fc.assert(
      fc.property(key, (any) => {
        if (JSON.stringify(any).includes("\\")) expect(isEscapedKey(any)).toBe(true);
        else if (!/\p{Cc}/u.test(any)) expect(isEscapedKey(any)).toBe(false);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("shorten", () => {
  it("keeps what fits, and says how much it cut", () => {
    expect(shorten("x".repeat(100), 100)).toBe("x".repeat(100));
    expect(shorten("x".repeat(101), 100)).toBe(`${"x".repeat(60)}… [41 more characters]`);
  });

  it("does not cut a character in half", () => {
    expect(shorten(`${"x".repeat(59)}${"🚀".repeat(50)}`, 100).slice(55, 62)).toBe("xxxx… [");
  });

  it("stays within its bound, so that shortening again changes nothing", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 0, maxLength: 300 }), fc.integer({ min: 50, max: 200 }), (text, lengthMax) => {
        const short = shorten(text, lengthMax);
        expect(short.length).toBeLessThanOrEqual(lengthMax);
        expect(shorten(short, lengthMax)).toBe(short);
      }),
    );
  });
});

describe("showValue", () => {
  it.each<[unknown, string]>([
    ['a "b"', '"a \\"b\\""'],
    ["x".repeat(200), `"${"x".repeat(60)}… [140 more characters]"`],
    [null, "null"],
    [undefined, "undefined"],
    [Number.NaN, "NaN"],
    [12n, "12"],
    [Symbol("s"), "Symbol(s)"],
    [() => 1, "a function"],
    [{ toString: 0 }, "an object"],
    [
      {
        toString: () => {
          throw new Error("no");
        },
      },
      "an object",
    ],
    [Object.create(null), "an object"],
  ])("%#: shows what it is, whatever its toString does", (value, text) => {
    expect(showValue(value)).toBe(text);
  });
});
