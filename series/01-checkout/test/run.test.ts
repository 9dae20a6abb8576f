/** The runner's manners: exit codes, usage, plain output in a pipe. */
import { describe, expect, it } from "vitest";
import { parseArguments } from "../../arguments.ts";
import { SCENARIOS } from "../scenarios.ts";
import { runNode } from "./command.ts";

const series = (...args: string[]) => runNode(["--conditions=stepwell-source", "series/run.ts", ...args]);
const TIMEOUT_MS = 30_000;

describe("the runner's arguments", () => {
  it.each([
    [["2", "--list"], 'there is no chapter "2" yet'],
    [["--list"], 'there is no chapter "--list" yet'],
    [["1"], "say what to do"],
    [["1", "--frobnicate"], 'unknown action "--frobnicate"'],
    [["1", "list"], 'unknown action "list"'],
    [["1", "--list", "--test"], '"--test" is one argument too many'],
    [["1", "--scenario"], "--scenario needs a name"],
    [["1", "--scenario", "happy", "express"], '"express" is one argument too many'],
    [["1", "--scenario", "timeout"], "did you mean gateway-timeout?"],
    [["1", "--scenario", "unicorn"], "--list shows all names"],
  ])("%j are wrong: %s", (args, why) => {
    expect(parseArguments(args)).toEqual({ kind: "wrong", why: expect.stringContaining(why) });
  });

  it("name what is to be done", () => {
    for (const kind of ["list", "fragile", "test"]) expect(parseArguments(["1", `--${kind}`])).toEqual({ kind });
    for (const scenario of SCENARIOS) {
      expect(parseArguments(["1", "--scenario", scenario.name])).toEqual({ kind: "scenario", scenario });
    }
    for (const args of [[], ["--help"], ["1", "-h"]]) expect(parseArguments(args)).toEqual({ kind: "help" });
  });
});

describe("npm run series", { timeout: TIMEOUT_MS }, () => {
  it("answers wrong arguments with what is wrong, the usage and exit code 2", async () => {
    const { code, stdout, stderr } = await series("1", "--frobnicate");
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toContain('unknown action "--frobnicate"');
    expect(stderr).toContain("Usage: npm run series");
  });

  it("plays a scenario, without colour codes in a pipe", async () => {
    const { code, stdout, stderr } = await series("1", "--scenario", "declined");
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toContain("PAYMENT_CARD_DECLINED");
    expect(stdout).toContain("✓ as expected");
    expect(stdout).not.toContain("\u001b");
  });
});
