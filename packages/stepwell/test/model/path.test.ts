/** Paths as people read them. */
import { expect, it } from "vitest";
import { type PathPart, pathText } from "../../src/model/path.ts";

const keys = (...parts: PropertyKey[]): PathPart[] => parts.map((key) => ({ kind: "key", key }));

it.each<[PathPart[], string]>([
  [[], "$"],
  [keys("items", 3, "when"), "$.items[3].when"],
  [keys("unit price", "", "a.b", "$x_1", "1a"), '$["unit price"][""]["a.b"].$x_1["1a"]'],
  [keys(Symbol("s")), "$[Symbol(s)]"],
  [[...keys("m"), { kind: "text", text: '.get("a")' }], '$.m.get("a")'],
])("%# reads as %s", (parts, text) => {
  expect(pathText(parts)).toBe(text);
});

it("leaves out the middle of a very long path", () => {
  const text = pathText(keys(...Array.from({ length: 200 }, (_, index) => `key${index}`)));
  expect(text.length).toBeLessThanOrEqual(300);
  expect(text).toMatch(/^\$\.key0\.key1.*….*\.key199$/);
});
