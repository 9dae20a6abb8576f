/** Programs: which are taken, for whom, and what is said when there are none. The binaries here only pretend. */
import { chmodSync, mkdirSync, mkdtempSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Account, accountsHere } from "./account.ts";
import { openPrograms } from "./programs.ts";

let scratch = "";
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), "stepwell-programs-"));
  chmodSync(scratch, 0o755);
  mkdirSync(join(scratch, "folder"));
  mkdirSync(join(scratch, "root/bin"), { recursive: true });
});
afterEach(() => rmSync(scratch, { recursive: true, force: true }));

const VERSION = 'echo "postgres (PostgreSQL) 99.1 (Some 99.1-2)"';

type Pretence = {
  readonly postgres?: string;
  readonly initdb?: string;
  readonly accounts?: readonly Account[];
  readonly links?: readonly { source: string; target: string }[];
};

function open({ postgres = VERSION, initdb = "", accounts = accountsHere(), links = [] }: Pretence) {
  const root = join(scratch, "root");
  for (const [name, script] of Object.entries({ postgres, initdb })) {
    writeFileSync(join(root, "bin", name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }
  return openPrograms({ name: "npm", root, links }, join(scratch, "folder"), accounts);
}

describe.runIf(process.platform !== "win32")("programs", () => {
  it("are used where they lie, their libraries under all their names", () => {
    const links = [{ source: "bin/libpq.so.5.18", target: "bin/libpq.so.5" }];
    const bin = join(scratch, "root/bin");
    expect(open({ links })).toMatchObject({ version: "99.1", bin });
    expect(readlinkSync(join(bin, "libpq.so.5"))).toBe("libpq.so.5.18");
  });

  it("are run by somebody else than root", () => {
    expect(open({ initdb: "test $(id -u) -ne 0" })).toMatchObject({ version: "99.1" });
  });

  it("are copied to where the account may look", ({ skip }) => {
    if (process.getuid?.() !== 0) skip("only root can be somebody else");
    chmodSync(join(scratch, "root"), 0o700);
    const bin = join(scratch, "folder/programs/bin");
    expect(open({ accounts: ["nobody"] })).toMatchObject({ account: "nobody", bin });
  });

  it("are missing when they do not run, for a reason that is told", () => {
    expect(open({ postgres: "echo 'libicuuc.so.60 is not there' >&2; exit 127" })).toEqual({
      missing: expect.stringContaining("libicuuc.so.60 is not there"),
    });
  });

  it("are missing when nobody knows what they are", () => {
    expect(open({ postgres: "echo hello" })).toEqual({ missing: expect.stringContaining("said hello") });
  });

  it("are missing when initdb would refuse, which asks for more", () => {
    expect(open({ initdb: "echo 'user does not exist' >&2; exit 1" })).toEqual({
      missing: expect.stringContaining("user does not exist"),
    });
  });
});
