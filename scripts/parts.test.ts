/** The check runs every part whatever fails, tells each in a line, and counts them all in the last. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { afterAll, describe, expect, it } from "vitest";
import { checkParts, type Outcome, type Part, shellRunner } from "./parts.ts";

const PASSED: Outcome = { ok: true, output: "quiet", tests: null };
const FAILED: Outcome = { ok: false, output: "line 7 is wrong\n", tests: null };

/** Check parts with these outcomes, named a, b, c …; `lines` is all that was printed. */
async function check(
  ...outcomes: readonly Outcome[]
): Promise<{ readonly ok: boolean; readonly lines: readonly string[] }> {
  const parts = outcomes.map((_, at): Part => ({ name: "abcdef".charAt(at), script: String(at) }));
  const lines: string[] = [];
  const ok = await checkParts(
    {
      run: async ({ script }) => outcomes[Number(script)] ?? FAILED,
      print: (line) => lines.push(...stripVTControlCharacters(line).split("\n")),
      nowMs: () => 0,
      width: 2,
    },
    parts,
  );
  return { ok, lines };
}

describe("the check", () => {
  it("tells each part in one line and ends with the counts", async () => {
    expect(await check(PASSED, PASSED)).toEqual({
      ok: true,
      lines: ["ok    a    0.0 s", "ok    b    0.0 s", "2 passed, 0 failed, 0 skipped"],
    });
  });

  it("runs the parts after one that failed, and shows what that one printed", async () => {
    const { ok, lines } = await check(FAILED, PASSED, PASSED);
    expect(ok).toBe(false);
    expect(lines).toContain("line 7 is wrong");
    expect(lines).not.toContain("quiet");
    expect(lines.slice(-2)).toEqual(["failed: a", "2 passed, 1 failed, 0 skipped"]);
  });

  it("counts tests instead of their part, and gives the reason of each that was skipped", async () => {
    const skipped = [{ name: "kill.test.ts > dies", why: "no strace" }];
    const { ok, lines } = await check({ ok: true, output: "", tests: { passed: 40, failed: 0, skipped } }, PASSED);
    expect(ok).toBe(true);
    expect(lines.slice(-2)).toEqual(["skipped: kill.test.ts > dies: no strace", "41 passed, 0 failed, 1 skipped"]);
  });

  it("counts a failing part once when all its tests passed, as with too little coverage", async () => {
    const { ok, lines } = await check({ ok: false, output: "", tests: { passed: 40, failed: 0, skipped: [] } });
    expect(ok).toBe(false);
    expect(lines.at(-1)).toBe("40 passed, 1 failed, 0 skipped");
  });

  it("runs no more parts at the same time than it may", async () => {
    let running = 0;
    let most = 0;
    const run = async (): Promise<Outcome> => {
      most = Math.max(most, ++running);
      await Promise.resolve();
      running--;
      return PASSED;
    };
    const parts = Array.from("abcdef", (name): Part => ({ name, script: name }));
    await checkParts({ run, print: () => {}, nowMs: () => 0, width: 2 }, parts);
    expect(most).toBe(2);
  });
});

describe("a part's script", () => {
  const root = mkdtempSync(join(tmpdir(), "stepwell-parts-"));
  const scripts = {
    both: "printf '\\033[31mto stdout\\033[39m\\n' && echo to stderr >&2",
    fails: "echo before && exit 3",
    reads: "cat",
    reports: `echo '{"passed":1,"failed":0,"skipped":[]}' >`,
  };
  writeFileSync(join(root, "package.json"), JSON.stringify({ scripts }));
  const run = shellRunner(root);
  afterAll(() => rmSync(root, { recursive: true }));

  it("passes with status 0, and both its streams are kept, without colours", async () => {
    const outcome = await run({ name: "a", script: "both" });
    expect(outcome).toEqual({ ok: true, output: "to stdout\nto stderr\n", tests: null });
  });

  it("fails with any other status", async () => {
    expect(await run({ name: "a", script: "fails" })).toEqual({ ok: false, output: "before\n", tests: null });
  });

  it("fails when package.json does not have it", async () => {
    expect(await run({ name: "a", script: "gone" })).toMatchObject({ ok: false });
  });

  it("finds its standard input empty", async () => {
    expect(await run({ name: "a", script: "reads" })).toMatchObject({ ok: true, output: "" });
  });

  it("leaves a report that is read, and never an old one", async () => {
    const part = { name: "a", script: "reports", args: "report.json", report: "report.json" };
    expect(await run(part)).toMatchObject({ tests: { passed: 1 } });
    expect(await run({ ...part, script: "both", args: "" })).toMatchObject({ tests: null });
  });
});
