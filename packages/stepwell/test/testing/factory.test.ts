/** Input factories: overrides, numbers, seeds, schemas. */
import { expect, expectTypeOf, it } from "vitest";
import { z } from "zod";
import { inputFactory } from "../../src/testing/index.ts";

const defaults = () => ({ id: "o", items: [{ sku: "lamp" }], customer: { name: "Kim", since: new Date(0) } });

it("names only what the test is about, at any depth; arrays and dates are replaced as a whole", () => {
  const anOrder = inputFactory(defaults());
  expect(anOrder()).toEqual(defaults());
  expect(anOrder({ customer: { name: "Lee" }, items: [] })).toEqual({
    ...defaults(),
    items: [],
    customer: { name: "Lee", since: new Date(0) },
  });
  expect(anOrder({ customer: { since: new Date(5) } }).customer).toEqual({ name: "Kim", since: new Date(5) });
  expect(anOrder({ id: undefined })).toHaveProperty("id", undefined);
  expectTypeOf(anOrder()).toEqualTypeOf(defaults());
});

it("every input is its own: changing one changes no other", () => {
  const anOrder = inputFactory(defaults());
  anOrder().items.push({ sku: "desk" });
  anOrder().customer.since.setTime(9);
  expect(anOrder()).toEqual(defaults());
});

it("counts, and rolls dice that fall the same in every run of the tests", () => {
  const make = (seed?: string) =>
    inputFactory(
      ({ seq, integer, pick, uuid }) => ({ id: `order:${seq}`, n: integer(1e6), c: pick(["a", "b"]), u: uuid() }),
      {
        ...(seed === undefined ? {} : { seed }),
      },
    );
  const first = make().many(5);
  expect(first.map(({ id }) => id)).toEqual(["order:1", "order:2", "order:3", "order:4", "order:5"]);
  expect(make().many(5)).toEqual(first);
  expect(make("other").many(5)).not.toEqual(first);
  expect(new Set(first.map(({ u }) => u)).size).toBe(5);
});

it("what one input draws does not change the next", () => {
  const make = (draws: number) =>
    inputFactory(({ seq, integer }) => ({
      n: Array.from({ length: seq === 1 ? draws : 1 }, () => integer(1e6)).at(-1),
    })).many(2)[1];
  expect(make(5)).toEqual(make(1));
});

it("makes many, alike or by index", () => {
  const anOrder = inputFactory({ id: "o", n: 0 });
  expect(anOrder.many(2, { n: 7 })).toEqual([
    { id: "o", n: 7 },
    { id: "o", n: 7 },
  ]);
  expect(anOrder.many(2, (index) => ({ n: index })).map(({ n }) => n)).toEqual([0, 1]);
});

it("checks each input against a schema, where it is made", () => {
  const schema = z.object({ id: z.string(), cents: z.number().positive() });
  const anOrder = inputFactory({ id: "o", cents: 5 }, { schema });
  expect(anOrder({ cents: 7 }).cents).toBe(7);
  expect(() => anOrder({ cents: -1 })).toThrow("this input does not fit its schema: $.cents");
  const slow = z.object({}).refine(async () => true);
  expect(() => inputFactory({}, { schema: slow })()).toThrow("validates asynchronously");
  expect(() => inputFactory({}, { sede: "x" } as never)).toThrow("OPTION_UNKNOWN");
});
