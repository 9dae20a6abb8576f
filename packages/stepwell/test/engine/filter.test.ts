/** A filter is what the store is asked for, or is refused with what is wrong in it. */
import { describe, expect, it } from "vitest";
import { type ListFilter, toRunFilter } from "../../src/engine/filter.ts";

describe("toRunFilter", () => {
  it.each<[ListFilter, object]>([
    [{}, { limit: 100 }],
    [{ workflow: "orders/fulfil" }, { namespace: "orders", name: "fulfil", limit: 100 }],
    [{ workflow: "fulfil" }, { namespace: "default", name: "fulfil", limit: 100 }],
    [{ state: "failed" }, { states: ["failed"], limit: 100 }],
    [{ state: ["failed", "paused"] }, { states: ["failed", "paused"], limit: 100 }],
    [{ state: [] }, { states: [], limit: 100 }],
    [{ limit: 0 }, { limit: 1 }],
    [{ limit: 2.5 }, { limit: 2 }],
    [{ limit: Infinity }, { limit: 1_000 }],
  ])("%j", (filter, asked) => {
    expect(toRunFilter(filter)).toEqual(asked);
  });

  it.each<[unknown, string, string]>([
    [{ states: "failed" }, "OPTION_UNKNOWN", 'did you mean "state"?'],
    [{ state: "complete" }, "OPTION_INVALID", 'there is no state "complete"; did you mean "completed"?'],
    [{ state: "__proto__" }, "OPTION_INVALID", "there are pending, running"],
    [{ state: ["failed", undefined] }, "OPTION_INVALID", "there is no state undefined"],
    [{ state: null }, "OPTION_INVALID", "there is no state null"],
    [{ limit: Number.NaN }, "OPTION_INVALID", "limit of list must be a number"],
    [{ limit: "10" }, "OPTION_INVALID", 'limit of list must be a number, got "10"'],
    [{ workflow: null }, "WORKFLOW_INVALID", "filter of list"],
    [{ workflow: { namespace: "a", name: "b" } }, "WORKFLOW_INVALID", "filter of list"],
    [null, "OPTION_INVALID", "must be an object, got null"],
  ])("P12: refuses %j", (filter, code, text) => {
    const attempt = () => toRunFilter(filter as ListFilter);
    expect(attempt).toThrow(expect.objectContaining({ code }));
    expect(attempt).toThrow(text);
  });
});
