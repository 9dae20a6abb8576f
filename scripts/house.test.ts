/** Small laws of the repository that no tool holds: scripts, pins, lockfile, licence. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "..");

type Manifest = Readonly<
  Record<"scripts" | "optionalDependencies" | "devDependencies", Readonly<Record<string, string>>>
> & { readonly allowScripts: Readonly<Record<string, boolean>> };
type Lockfile = { readonly packages: Readonly<Record<string, { readonly hasInstallScript?: boolean }>> };

const manifest = JSON.parse(read("package.json")) as Manifest;

function read(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

describe("package.json", () => {
  it.each(Object.entries(manifest.scripts))(
    "script %s asks for a new enough Node first, and its files exist",
    (_, command) => {
      expect(command).toMatch(/^node scripts\/require-node\.cjs && /);
      const words = command.split(" ").filter((word) => !/^[A-Z_]+=/.test(word));
      const files = words.map((word) => word.replace(/^--\w+=/, "")).filter((word) => /\.(ts|cjs|json)$/.test(word));
      expect(files.filter((file) => !existsSync(join(ROOT, file)))).toEqual([]);
    },
  );

  // Newer ones lack builds for some platforms in the registry, which breaks `npm ci` there.
  it.each([
    ["oxlint", "1.89.0"],
    ["oxlint-tsgolint", "7.0.2004"],
    ["oxfmt", "0.75.0"],
    ["knip", "6.42.0"],
    ["dependency-cruiser", "18.7.2"],
  ])("pins %s to %s", (name, version) => {
    expect(manifest.devDependencies[name]).toBe(version);
  });

  it("brings the Node that .node-version names", () => {
    const runtimes = Object.entries(manifest.optionalDependencies).filter(([name]) => name.startsWith("node-"));
    expect(runtimes.length).toBeGreaterThan(0);
    expect(new Set(runtimes.map(([, version]) => version))).toEqual(new Set([read(".node-version").trim()]));
  });
});

describe("the lockfile", () => {
  const { packages } = JSON.parse(read("package-lock.json")) as Lockfile;

  it("has no package that runs a script when installed, but those whose script is refused and not missed", () => {
    const scripted = Object.entries(packages).filter(([, { hasInstallScript }]) => hasInstallScript === true);
    const refused = Object.entries(manifest.allowScripts).filter(([, allowed]) => !allowed);
    expect(scripted.map(([path]) => path)).toEqual(refused.map(([name]) => `node_modules/${name}`));
  });

  it.each(["linux-x64", "linux-arm64", "darwin-arm64", "win32-x64"])(
    "has a linter and a formatter for %s",
    (platform) => {
      const [os = "", cpu = ""] = platform.split("-");
      const bindings = Object.keys(packages).filter((name) => name.includes(`binding-${os}-${cpu}`));
      expect(bindings.map((name) => name.split("/")[1])).toEqual(expect.arrayContaining(["@oxfmt", "@oxlint"]));
    },
  );
});

it("the package carries the licence of the repository", () => {
  expect(read("packages/stepwell/LICENSE")).toBe(read("LICENSE"));
});
