/** The deep check has everything of the check; each of its parts is a script that says what it does. */
import { execFile, execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { PARTS } from "./check.ts";
import { chooseParts, DEEP_PARTS } from "./check-deep.ts";
import { whyNoStrace } from "./deep/strace.ts";
import type { Part } from "./parts.ts";

const ROOT = join(import.meta.dirname, "..");
const WISH = { quick: false, only: null, minutes: null };

function namesOf(parts: readonly Part[] | string): unknown {
  return typeof parts === "string" ? parts : parts.map((part) => part.name);
}

describe("the deep check", () => {
  it("does all that the check does, and its own parts at full size", () => {
    const parts = chooseParts(WISH) as readonly Part[];
    expect(parts.slice(0, PARTS.length)).toEqual(PARTS);
    expect(namesOf(parts.slice(PARTS.length))).toEqual(DEEP_PARTS.map((part) => part.name));
    expect(parts.find((part) => part.name === "soak")?.args).toBe("--minutes 30 --report coverage/deep-soak.json");
    expect(parts.find((part) => part.name === "planted-bugs")?.args).toBe("--unaided --seeds 10000");
  });

  it("tries only its own parts when it is to be quick", () => {
    expect(namesOf(chooseParts({ ...WISH, quick: true }))).toEqual(DEEP_PARTS.map((part) => part.name));
  });

  it("does the parts that are named, of both checks, and tells a name that nobody has", () => {
    expect(namesOf(chooseParts({ ...WISH, only: ["soak", "types"] }))).toEqual(["types", "soak"]);
    expect(chooseParts({ ...WISH, only: ["soak", "sock"] })).toBe("sock");
  });

  it("soaks as long as it is told", () => {
    const [soak] = chooseParts({ quick: true, only: ["soak"], minutes: "5" }) as readonly Part[];
    expect(soak?.args).toBe("--minutes 1 --minutes 5 --report coverage/deep-soak.json");
  });
});

describe("a deep part", () => {
  const scripts = DEEP_PARTS.map(({ script }) => script).filter((script) => existsSync(join(ROOT, script)));

  it.each(scripts)("%s tells with --help what it does, and refuses what it does not know", async (script) => {
    const run = (...args: string[]) => promisify(execFile)(process.execPath, [join(ROOT, script), ...args]);
    const { stdout } = await run("--help");
    expect(stdout).toContain(script);
    expect(stdout).toMatch(/--\w+/);
    await expect(run("--no-such-flag")).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining("Unknown option"),
    });
  });
});

describe.runIf(process.platform === "linux")("the tools of the deep check", () => {
  const script = join(ROOT, "scripts/deep/install-tools.sh");
  const run = (path: string | undefined) =>
    execFileSync("/bin/sh", [script], { encoding: "utf8", stdio: "pipe", env: { PATH: path } });

  it("are not installed again where they are", ({ skip }) => {
    const there = ["/usr/lib/postgresql/15/bin/postgres", "/usr/sbin/pgbouncer", "/usr/bin/faketime"].every((path) =>
      existsSync(path),
    );
    if (!there || whyNoStrace() !== null) skip("they are not all installed here, and a test installs nothing");
    expect(run(process.env["PATH"])).toBe("All tools of the deep checks are installed.\n");
  });

  it("are named where they can not be installed", () => {
    const missing = /Missing: strace mount mount.*\. Not installed: there is no apt-get here/;
    expect(() => run("/no/such/folder")).toThrow(
      expect.objectContaining({ status: 3, stderr: expect.stringMatching(missing) }),
    );
  });
});
