/** The demo keeps its word: a worker killed with -9, a proof, a file that is kept when asked. README.md's test runs it plain. */
import { existsSync, rmSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { runNode } from "./command.ts";

const TIMEOUT_MS = 60_000;
const demo = (...args: string[]) => runNode(["--conditions=stepwell-source", "series/01-checkout/demo.ts", ...args]);

let dir = "";
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe("npm run demo", () => {
  it("kills, resumes, proves, and keeps its files when asked", { timeout: TIMEOUT_MS }, async () => {
    const { code, stdout, stderr } = await demo("--keep");
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^ kill -9 \d+ /m);
    expect(stdout).toContain("a new worker takes over");
    expect(stdout).toContain("order:1001 asked the gateway 2 times under one key, and was charged 1 time.");
    expect(stdout).toContain("One charge, one order, one e-mail per paid order.");
    expect(stdout).not.toContain("\u001b");
    dir = /Files kept in (.+)/.exec(stdout)?.[1] ?? "";
    expect([existsSync(`${dir}/runs.db`), existsSync(`${dir}/world.db`)]).toEqual([true, true]);
  });

  it("refuses arguments that it does not know", { timeout: TIMEOUT_MS }, async () => {
    const { code, stdout, stderr } = await demo("--fast");
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toContain("Usage: npm run demo");
  });
});
