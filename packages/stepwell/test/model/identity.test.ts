/** Names and versions of workflows, and which version may continue whose runs. */
import { describe, expect, it } from "vitest";
import {
  canContinue,
  compareVersions,
  identityText,
  parseVersion,
  parseWorkflowName,
} from "../../src/model/identity.ts";

describe("parseWorkflowName", () => {
  it.each([
    ["orders/fulfil", { namespace: "orders", name: "fulfil" }],
    ["fulfil", { namespace: "default", name: "fulfil" }],
    ["a.b-c_1/2fa", { namespace: "a.b-c_1", name: "2fa" }],
    ["x".repeat(100), { namespace: "default", name: "x".repeat(100) }],
  ])("reads %s", (text, parts) => {
    expect(parseWorkflowName(text, "workflow")).toEqual(parts);
  });

  it.each([
    "",
    "/",
    "a/",
    "/a",
    "a/b/c",
    "A/b",
    "a/B",
    "-a",
    ".a",
    "_a",
    "a b",
    "ä",
    "a\n",
    "a@1",
    "x".repeat(101),
    `${"x".repeat(101)}/a`,
    null as unknown as string,
    3 as unknown as string,
  ])("refuses %j with advice", (text) => {
    const attempt = () => parseWorkflowName(text, "workflow(…)");
    expect(attempt).toThrow(expect.objectContaining({ code: "WORKFLOW_INVALID" }));
    expect(attempt).toThrow(/^WORKFLOW_INVALID: workflow\(…\): .* is not a name;/s);
  });
});

describe("parseVersion", () => {
  it.each([
    ["0.0.0", { major: 0, minor: 0, patch: 0, prerelease: [] }],
    ["2.10.3", { major: 2, minor: 10, patch: 3, prerelease: [] }],
    ["1.0.0-rc.1", { major: 1, minor: 0, patch: 0, prerelease: ["rc", "1"] }],
    ["1.0.0-0a-.--", { major: 1, minor: 0, patch: 0, prerelease: ["0a-", "--"] }],
    ["1.0.0+sha.5114f85", { major: 1, minor: 0, patch: 0, prerelease: [] }],
    ["1.0.0-x+y", { major: 1, minor: 0, patch: 0, prerelease: ["x"] }],
  ])("reads %s", (text, parts) => {
    expect(parseVersion(text)).toEqual(parts);
  });

  it.each([
    "",
    "1",
    "1.0",
    "1.0.0.0",
    "v1.0.0",
    "01.0.0",
    "1.0.0-",
    "1.0.0-a..b",
    "1.0.0-01",
    "1.0.0 ",
    "1.0.x",
    "1.0.0-ä",
    `1.0.${"9".repeat(16)}`,
    `1.0.0-${"a".repeat(100)}`,
    null as unknown as string,
  ])("refuses %j", (text) => {
    expect(() => parseVersion(text)).toThrow(expect.objectContaining({ code: "WORKFLOW_INVALID" }));
  });
});

describe("compareVersions", () => {
  it("orders as clause 11 of Semantic Versioning does", () => {
    const ascending = [
      "0.9.9",
      "1.0.0-alpha",
      "1.0.0-alpha.1",
      "1.0.0-alpha.-",
      "1.0.0-alpha.beta",
      "1.0.0-beta",
      "1.0.0-beta.2",
      "1.0.0-beta.11",
      "1.0.0-rc.1",
      "1.0.0",
      "1.0.1",
      "1.2.0",
      "1.10.0",
      "2.0.0",
    ];
    for (const [left, a] of ascending.entries()) {
      const order = ascending.map((b) => Math.sign(compareVersions(a, b)));
      expect(order).toEqual(ascending.map((_, right) => Math.sign(left - right)));
    }
  });

  it("ignores build metadata", () => {
    expect(compareVersions("1.0.0+a", "1.0.0+b")).toBe(0);
  });
});

describe("canContinue", () => {
  it.each([
    ["2.1.0", "2.0.9", true],
    ["2.0.9", "2.0.9", true],
    ["2.0.8", "2.0.9", false],
    ["3.0.0", "2.0.9", false],
    ["1.9.0", "2.0.0", false],
    ["2.0.0-rc.1", "2.0.0", false],
    ["0.2.0", "0.1.0", true],
  ])("code of %s continues a run of %s: %s", (registered, pinned, may) => {
    expect(canContinue(registered, pinned)).toBe(may);
  });
});

it("writes an identity as namespace/name@version", () => {
  expect(identityText({ namespace: "orders", name: "fulfil", version: "2.1.0" })).toBe("orders/fulfil@2.1.0");
});
