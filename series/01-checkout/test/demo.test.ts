/** The demo keeps its word: a worker killed with -9, a proof, a file that is kept when asked. README.md's test runs it plain. */
import { existsSync, readdirSync, rmSync } from "node:fs";
import { afterAll, describe, expect, inject, it } from "vitest";
import { runLine, runNode } from "./command.ts";
import { withScratch } from "./scratch.ts";

const TIMEOUT_MS = 60_000;
const demo = (env: Readonly<Record<string, string>>, ...args: string[]) =>
  runNode(["--conditions=stepwell-source", "series/01-checkout/demo.ts", ...args], env);

let dir = "";
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe("npm run demo", () => {
  it("kills, resumes, proves, and keeps its files when asked", { timeout: TIMEOUT_MS }, async () => {
    const { code, stdout, stderr } = await demo({}, "--keep");
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
    const { code, stdout, stderr } = await demo({}, "--fast");
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toContain("Usage: npm run demo");
  });
});

describe("npm run demo -- --postgres", () => {
  it("kills two of four workers, and tells who took over what", { timeout: 2 * TIMEOUT_MS }, async ({ skip }) => {
    const server = inject("postgres");
    if ("missing" in server) skip(`no PostgreSQL: ${server.missing}`);
    const { code, stdout, stderr, left } = await withScratch(async (dir) => ({
      ...(await runLine("npm run demo -- --postgres", dir)),
      left: readdirSync(dir).filter((name) => name.startsWith("stepwell-")),
    }));
    expect([code, stderr, left], stdout).toEqual([0, "", []]);
    const deaths = [...stdout.matchAll(/^ kill -9 \d+ \s*worker ([A-D]) dies, with (.+) under way/gm)];
    expect(deaths.map(([, , orders]) => orders)).toEqual([
      expect.stringContaining("order:1001"),
      expect.stringContaining("order:1007"),
    ]);
    for (const [index, id] of ["order:1001", "order:1007"].entries()) {
      const name = deaths[index]?.[1];
      const told = `s  [A-D]  ${id}  » from ${name}, \\d+\\.\\d\\d s after its death$`;
      const listed = `^  ${id}  from ${name} by (?!${name})[A-D]  +\\d+\\.\\d\\d s after the kill$`;
      for (const pattern of [told, listed]) expect(stdout).toMatch(new RegExp(pattern, "m"));
    }
    expect(stdout).toContain("paid $124.76 (same key: charged once)");
    expect(stdout).toContain("order written (same key: written once)");
    expect(stdout).toMatch(/^order:1007 +1 +1 +0 +1 +1 +\$80\.89 ✓$/m);
    expect(stdout).toContain("Two workers died; the others finished what they held.");
    expect(stdout).not.toContain("\u001b");
  });

  it("says so where there is no PostgreSQL", { timeout: TIMEOUT_MS }, async () => {
    const { code, stdout, stderr } = await demo({ STEPWELL_TEST_PG: "none" }, "--postgres");
    expect({ code, stdout, stderr }).toEqual({
      code: 3,
      stdout: "",
      stderr: "There is no PostgreSQL here: STEPWELL_TEST_PG says none\n",
    });
  });
});
