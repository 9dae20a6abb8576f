/** Tags that encode never writes are refused, not guessed at. */
import { describe, expect, it } from "vitest";
import { fromTagged } from "../../src/model/tag.ts";
import { decode } from "../../src/model/json.ts";

describe("a malformed tag is PAYLOAD_CORRUPT", () => {
  it.each([
    '{"$sw":"later","value":{}}',
    '{"$sw":null}',
    '{"$sw":{"$sw":"undefined"}}',
    '{"$sw":"number","value":"12"}',
    '{"$sw":"number","value":1}',
    '{"$sw":"bigint","value":"1.5"}',
    '{"$sw":"bigint"}',
    '{"$sw":"date","value":"yesterday"}',
    '{"$sw":"date","value":0}',
    '{"$sw":"map","value":[1]}',
    '{"$sw":"map","value":{}}',
    '{"$sw":"set","value":"ab"}',
    '{"$sw":"bytes","value":"%"}',
    '{"$sw":"error","value":{"name":"E","message":1,"own":{}}}',
    '{"$sw":"error","value":{"name":"E","message":"m"}}',
    '{"$sw":"error","value":{"name":"E","message":"m","own":null}}',
    '{"$sw":"error","value":null}',
    '{"$sw":"error","value":{"name":"E","message":"m","own":"text"}}',
    '{"$sw":"entries","value":[1]}',
    '{"$sw":"entries","value":{}}',
    '{"$sw":"entries"}',
  ])("%s", (tag) => {
    for (const text of [tag, `[${tag}]`, `{"a":${tag}}`]) {
      expect(() => decode(text)).toThrow(expect.objectContaining({ code: "PAYLOAD_CORRUPT" }));
    }
  });

  it("names the tag", () => {
    expect(() => decode('{"$sw":"later","value":{}}')).toThrow(
      'PAYLOAD_CORRUPT: stored text holds a malformed tag "later".',
    );
  });
});

it("leaves what holds no tag as it is", () => {
  const tree = { a: [1, { b: null }], $SW: "date" };
  expect(fromTagged(tree)).toBe(tree);
  expect(tree).toEqual({ a: [1, { b: null }], $SW: "date" });
});
