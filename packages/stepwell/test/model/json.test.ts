/** The codec: what is written comes back, and the copy the body sees is exactly what a replay would decode (P2, F23). */
import { isDeepStrictEqual } from "node:util";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PermanentError, RetryableError, StepwellError } from "../../src/model/errors.ts";
import { decode, encode } from "../../src/model/json.ts";
import { account, roundTrip } from "./round-trip.ts";

describe("plain JSON", () => {
  it("is written as JSON.stringify writes it", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        fc.pre(!account(value).includes("-0") && !/\\|\$sw|\p{Cc}/u.test(JSON.stringify(value)));
        expect(encode(value).text).toBe(JSON.stringify(value));
        expect(isDeepStrictEqual(roundTrip(value), value)).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });

  it.each([
    [null],
    [true],
    [0],
    [1.5e300],
    [""],
    ["\u0000 \ud800 \udc00 \u2028 🚀"],
    [[]],
    [{}],
    [[[[]]]],
    [{ a: { b: [1, { c: null }] } }],
  ])("%j comes back as it is", (value) => {
    expect(roundTrip(value)).toEqual(value);
  });

  it("copies: later changes to the source reach neither text nor copy", () => {
    const source = { items: [{ n: 1 }], at: new Date(0) };
    const { text, value } = encode(source);
    source.items[0]!.n = 2;
    source.at.setTime(5);
    expect(value).toEqual({ items: [{ n: 1 }], at: new Date(0) });
    expect(decode(text)).toEqual(value);
  });

  it("copies what two places share twice", () => {
    const shared = { n: 1 };
    const { value } = encode({ a: shared, b: shared, c: [shared] });
    expect(value.a).toEqual(shared);
    expect(value.a).not.toBe(value.b);
    expect(value.c[0]).not.toBe(value.a);
  });

  it("keeps the order of keys, and integer keys where JavaScript puts them", () => {
    expect(Object.keys(roundTrip({ b: 1, a: new Date(0), 2: 1, 1: 1 }))).toEqual(["1", "2", "b", "a"]);
  });

  it("F23: keeps an own __proto__ as a property and pollutes nothing", () => {
    for (const extra of ["", ',"when":{"$sw":"date","value":null}']) {
      const source: unknown = decode(`{"__proto__":{"polluted":true,"constructor":{"prototype":1}}${extra}}`);
      const copy = roundTrip(source) as Record<string, unknown>;
      expect(Object.hasOwn(copy, "__proto__")).toBe(true);
      expect(Object.getPrototypeOf(copy)).toBe(Object.prototype);
      expect(copy["polluted"]).toBeUndefined();
      expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
    }
  });

  it("P2: survives the JSON.parse of V8 that mistakes an escaped key for another (nodejs/node#63785)", () => {
    const pairs = [
      ["\\", "\n"],
      ["a\\", 'a"'],
      ["\\u", "\u0001b"],
      ["ab\\nc", "ab\ncd"],
    ] as const;
    for (const [index, [trap, key]] of pairs.entries()) {
      JSON.parse(`{"h${index}":[],${JSON.stringify(trap)}:0}`);
      const value = { [`h${index}`]: 1, [key]: 2 };
      expect(roundTrip(value)).toEqual(value);
      expect(roundTrip(Object.assign(new Error("x"), value))).toMatchObject(value);
    }
  });

  it("makes an ordinary object of one without prototype, and of one from another realm", () => {
    const bare = Object.assign(Object.create(null) as Record<string, unknown>, { a: Object.create(null) as object });
    const far = runInNewContext(
      "({ a: [1, { b: new Date(7) }], m: new Map([[1, new Set([2])]]), e: new RangeError('r') })",
    );
    expect(Object.getPrototypeOf(roundTrip(bare))).toBe(Object.prototype);
    expect(Object.getPrototypeOf(roundTrip(bare)["a"])).toBe(Object.prototype);
    expect(account(roundTrip(far))).toBe(
      account(
        roundTrip({
          a: [1, { b: new Date(7) }],
          m: new Map([[1, new Set([2])]]),
          e: new RangeError("r"),
        }),
      ),
    );
  });

  it("reads accessors once, does not call toJSON, and leaves out what is not enumerable", () => {
    let reads = 0;
    const source = Object.defineProperty(
      {
        get n() {
          return (reads += 1);
        },
        toJSON: "text",
      },
      "hidden",
      { value: 1 },
    );
    expect(encode(source)).toEqual({ text: '{"n":1,"toJSON":"text"}', value: { n: 1, toJSON: "text" } });
    expect(reads).toBe(1);
  });

  it("takes a frozen value, and gives a copy that is not", () => {
    expect(Object.isFrozen(roundTrip(Object.freeze({ a: Object.freeze([1]) })))).toBe(false);
  });

  it("takes proxies of plain objects and arrays for what they show", () => {
    expect(roundTrip({ o: new Proxy({ a: 1 }, {}), l: new Proxy([1, 2], {}) })).toEqual({ o: { a: 1 }, l: [1, 2] });
  });
});

describe("tagged values", () => {
  it.each<[unknown, string]>([
    [undefined, '{"$sw":"undefined"}'],
    [[undefined], '[{"$sw":"undefined"}]'],
    [{ a: undefined }, '{"a":{"$sw":"undefined"}}'],
    [Number.NaN, '{"$sw":"number","value":"NaN"}'],
    [Infinity, '{"$sw":"number","value":"Infinity"}'],
    [-Infinity, '{"$sw":"number","value":"-Infinity"}'],
    [-0, '{"$sw":"number","value":"-0"}'],
    [-12345678901234567890n, '{"$sw":"bigint","value":"-12345678901234567890"}'],
    [new Date(0), '{"$sw":"date","value":"1970-01-01T00:00:00.000Z"}'],
    [new Date(8.64e15), '{"$sw":"date","value":"+275760-09-13T00:00:00.000Z"}'],
    [new Date(-8.64e15), '{"$sw":"date","value":"-271821-04-20T00:00:00.000Z"}'],
    [new Date(Number.NaN), '{"$sw":"date","value":null}'],
    [
      new Map<unknown, unknown>([
        ["a", 1n],
        [{ k: 1 }, undefined],
      ]),
      '{"$sw":"map","value":[["a",{"$sw":"bigint","value":"1"}],[{"k":1},{"$sw":"undefined"}]]}',
    ],
    [new Set([1, new Set()]), '{"$sw":"set","value":[1,{"$sw":"set","value":[]}]}'],
    [new Uint8Array([0, 127, 255]), '{"$sw":"bytes","value":"AH//"}'],
    [new Uint8Array(), '{"$sw":"bytes","value":""}'],
    [{ $sw: "date", value: 1 }, '{"$sw":"entries","value":[["$sw","date"],["value",1]]}'],
    [
      { $sw: { $sw: 1n } },
      '{"$sw":"entries","value":[["$sw",{"$sw":"entries","value":[["$sw",{"$sw":"bigint","value":"1"}]]}]]}',
    ],
    [{ "a\nb": 1, c: 2 }, '{"$sw":"entries","value":[["a\\nb",1],["c",2]]}'],
    [[{ a: { '"': -0 } }], '[{"a":{"$sw":"entries","value":[["\\"",{"$sw":"number","value":"-0"}]]}}]'],
    [[{ a: { '"': 1 } }], '[{"a":{"$sw":"entries","value":[["\\"",1]]}}]'],
    [{ text: '"$sw":' }, '{"text":"\\"$sw\\":"}'],
  ])("%o is written as %s and comes back", (value, text) => {
    expect(encode(value).text).toBe(text);
    expect(account(roundTrip(value))).toBe(account(value));
  });

  it("makes a Uint8Array of a Buffer, also a large one", () => {
    const bytes = Buffer.alloc(300_001, "\u0000\u0001ÿ", "latin1");
    const copy: Uint8Array = roundTrip(bytes);
    expect(Object.getPrototypeOf(copy)).toBe(Uint8Array.prototype);
    expect(Buffer.compare(copy, bytes)).toBe(0);
  });

  it("copies the part of the memory that a view shows", () => {
    expect(roundTrip(new Uint8Array([1, 2, 3, 4]).subarray(1, 3))).toEqual(new Uint8Array([2, 3]));
  });
});

describe("errors as values", () => {
  it("keep name, message, code, cause and own fields, but no stack", () => {
    const cause = new RangeError("low");
    const copy = roundTrip(
      Object.assign(new TypeError("bad", { cause }), { code: "E1", at: new Date(0), nested: [{ n: 1n }] }),
    );
    expect(copy).toMatchObject({ name: "TypeError", message: "bad", code: "E1", at: new Date(0), nested: [{ n: 1n }] });
    expect(copy.cause).toMatchObject({ name: "RangeError", message: "low" });
    expect(copy.stack).toBe("TypeError: bad");
    expect(Object.keys(copy)).toEqual(["code", "at", "nested"]);
  });

  it("come back as our classes, subclasses of PermanentError included", () => {
    class CardDeclined extends PermanentError {
      override name = "CardDeclined";
    }
    const retryable = roundTrip(new RetryableError("busy", { retryAfter: "5s", code: "B" }));
    expect(retryable).toBeInstanceOf(RetryableError);
    expect(retryable).toMatchObject({ retryAfterMs: 5_000, code: "B" });
    expect(roundTrip(new PermanentError("no", { details: { a: 1 } }))).toBeInstanceOf(PermanentError);
    expect(roundTrip(new CardDeclined("no"))).toBeInstanceOf(PermanentError);
    expect(roundTrip(new CardDeclined("no")).name).toBe("CardDeclined");
    const own = roundTrip(new StepwellError("STORE_FULL", "flush", { details: { a: 1 } }));
    expect(own).toBeInstanceOf(StepwellError);
    expect(own).toMatchObject({ code: "STORE_FULL", details: { a: 1 } });
  });

  it("are written with what distinguishes them and nothing more", () => {
    const cause = Object.assign(new Error("y"), { at: 1 });
    expect(encode(new PermanentError("x", { cause })).text).toBe(
      '{"$sw":"error","value":{"name":"PermanentError","message":"x",' +
        '"cause":{"$sw":"error","value":{"name":"Error","message":"y","own":{"at":1}}},"own":{}}}',
    );
    expect(encode(Object.assign(new PermanentError("x"), { name: "Own" })).text).toBe(
      '{"$sw":"error","value":{"name":"Own","message":"x","permanent":true,"own":{}}}',
    );
  });

  it("tell a cause that is undefined from none, and keep the errors of an AggregateError", () => {
    expect(Object.hasOwn(roundTrip(new Error("x", { cause: undefined })), "cause")).toBe(true);
    expect(Object.hasOwn(roundTrip(new Error("x")), "cause")).toBe(false);
    expect(roundTrip(new AggregateError([new Error("a")], "all")).errors[0]).toMatchObject({ message: "a" });
  });

  it("survive a name or message that is no text, and fields named like their own", () => {
    expect(roundTrip(Object.assign(new Error("x"), { name: 5, message: 6 }))).toMatchObject({
      name: "Error",
      message: "",
    });
    const odd = Object.defineProperty(new Error("x"), "__proto__", { value: { a: 1 }, enumerable: true });
    expect(Object.hasOwn(roundTrip(odd), "__proto__")).toBe(true);
    expect(roundTrip(Object.defineProperty(new Error("x"), "stack", { value: "s", enumerable: true }))).toHaveProperty(
      "stack",
      "Error: x",
    );
  });
});

describe("decode", () => {
  it.each(["", "{", "nul", '{"a":undefined}', '"\u0000"', "[1,]"])("refuses %j, which encode never wrote", (text) => {
    expect(() => decode(text)).toThrow(expect.objectContaining({ code: "PAYLOAD_CORRUPT" }));
  });

  it("builds a new value each time", () => {
    const { text } = encode({ a: [new Date(0)] });
    expect(decode(text)).not.toBe(decode(text));
  });

  it("refuses tags nested past what the stack holds, instead of ending the process", () => {
    const text = `${'{"$sw":"set","value":['.repeat(50_000)}${"]}".repeat(50_000)}`;
    expect(() => decode(text)).toThrow(expect.objectContaining({ code: "PAYLOAD_CORRUPT" }));
  });
});
