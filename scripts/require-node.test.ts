/** The preflight lets new Nodes pass, and stops old ones with one line that says what to do. */
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const script = join(import.meta.dirname, "require-node.cjs");
const { complaintAbout } = createRequire(import.meta.url)(script) as {
  complaintAbout: (version: string) => string | null;
};

describe("the preflight", () => {
  it.each(["24.2.0", "24.21.0", "26.0.0"])("accepts Node %s", (version) => {
    expect(complaintAbout(version)).toBeNull();
  });

  it.each(["0.12.18", "18.20.4", "20.20.2", "22.19.1", "24.1.0"])(
    "refuses Node %s in one line that names it",
    (version) => {
      expect(complaintAbout(version)).toMatch(
        new RegExp(`^This repository needs Node 24\\.2 or newer, this is ${version}\\. .*$`),
      );
    },
  );

  it("ends with status 0 and says nothing under this Node", () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [script], { encoding: "utf8" });
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: "", stderr: "" });
  });

  it("ends with status 1 under an old Node", () => {
    const pretend = `Object.defineProperty(process.versions, "node", { value: "20.20.2" });`;
    const args = ["--import", `data:text/javascript,${encodeURIComponent(pretend)}`, script];
    const { status, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
    expect({ status, lines: stderr.trim().split("\n").length }).toEqual({ status: 1, lines: 1 });
  });
});
