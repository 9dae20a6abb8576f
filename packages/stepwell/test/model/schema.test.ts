/** Validation by any Standard Schema: zod as the example, and hand-made ones for the corners. */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { issuesText, validate } from "../../src/model/schema.ts";

type Answer = StandardSchemaV1.Result<unknown>;

const schemaOf = (answer: () => Answer | Promise<Answer>): StandardSchemaV1 => ({
  "~standard": { version: 1, vendor: "test", validate: answer },
});

describe("validate", () => {
  const order = z.object({
    id: z.string(),
    items: z.array(z.object({ "unit price": z.number() })),
    note: z.string().default(""),
  });

  it("returns the schema's output, defaults applied", async () => {
    expect(await validate(order, { id: "a", items: [] })).toEqual({
      ok: true,
      value: { id: "a", items: [], note: "" },
    });
  });

  it("lists every issue with its path", async () => {
    const validation = await validate(order, { id: 1, items: [{ "unit price": "x" }] });
    expect(validation).toMatchObject({ ok: false, issues: [{ path: "$.id" }, { path: '$.items[0]["unit price"]' }] });
  });

  it("waits for asynchronous schemas", async () => {
    const even = z.number().refine((value) => Promise.resolve(value % 2 === 0), "must be even");
    expect(await validate(even, 2)).toEqual({ ok: true, value: 2 });
    expect(await validate(even, 3)).toEqual({ ok: false, issues: [{ path: "$", message: "must be even" }] });
  });

  it("understands path segments, symbols and missing paths", async () => {
    const path = [{ key: "a" }, "b", 0, Symbol("s")];
    const schema = schemaOf(() => ({ issues: [{ message: "one", path }, { message: "two" }] }));
    expect(await validate(schema, null)).toEqual({
      ok: false,
      issues: [
        { path: "$.a.b[0][Symbol(s)]", message: "one" },
        { path: "$", message: "two" },
      ],
    });
  });

  it("takes an empty list of issues for a failure, as the standard says", async () => {
    expect(
      await validate(
        schemaOf(() => ({ issues: [] })),
        1,
      ),
    ).toEqual({ ok: false, issues: [] });
  });

  it("rejects when the schema itself throws", async () => {
    const broken = schemaOf(() => {
      throw new Error("schema is broken");
    });
    await expect(validate(broken, 1)).rejects.toThrow("schema is broken");
  });
});

describe("issuesText", () => {
  it("joins paths and messages", () => {
    expect(
      issuesText([
        { path: "$.a", message: "Required" },
        { path: "$", message: "Bad" },
      ]),
    ).toBe("$.a: Required; $: Bad");
    expect(issuesText([])).toBe("");
  });

  it("counts what is too much to show", () => {
    const issues = Array.from({ length: 53 }, (_, index) => ({ path: `$[${index}]`, message: "Bad" }));
    expect(issuesText(issues)).toMatch(/\$\[49\]: Bad; and 3 more$/);
  });
});
