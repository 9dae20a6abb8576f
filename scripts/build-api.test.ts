/** The API reference says all that is exported, once, and notices when it no longer does. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as stepwell from "stepwell";
import * as testing from "stepwell/testing";
import ts from "typescript";
import { afterAll, describe, expect, it } from "vitest";
import { anchorsOf, renderPage } from "./api-page.ts";
import { type Declared, listExports, openSources } from "./api-source.ts";
import { calm } from "./api-text.ts";
import { buildApi } from "./build-api.ts";

const folder = mkdtempSync(join(tmpdir(), "stepwell-api-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the pages", () => {
  const pages = buildApi();

  it.each([
    ["docs/api/stepwell.md", Object.keys(stepwell)],
    ["docs/api/testing.md", Object.keys(testing)],
  ])("%s has a section for all that can be imported", (path, names) => {
    const headings = [...(pages.get(path) ?? "").matchAll(/^### (\w+)/gm)].map(([, name]) => name);
    expect(headings).toEqual(expect.arrayContaining(names));
  });

  it("show no name twice", () => {
    const headings = [...pages.values()].flatMap((text) => text.match(/^### .*$/gm) ?? []);
    expect(headings.filter((heading, at) => headings.indexOf(heading) !== at)).toEqual([]);
  });

  it("follow a change of the types", () => {
    const text = pages.get("docs/api/stepwell.md") ?? "";
    expect(text).toContain("ctx.sleep(name: StepName, duration: Duration): ");
    expect(text).toContain("| `lease?` | [`Duration`](#duration) | A worker that has not renewed");
  });
});

describe("a declaration", () => {
  const shown = (source: string): string => {
    const path = join(folder, "noun.ts");
    writeFileSync(path, source);
    writeFileSync(join(folder, "index.ts"), 'export * from "./noun.ts";\n');
    const declared: readonly Declared[] = listExports(openSources(), join(folder, "index.ts"));
    const page = { title: "t", intro: "", groups: [{ title: "All", declared }] };
    const anchors = anchorsOf(page);
    const [, ...sections] = renderPage(page, (name) => (anchors.has(name) ? `#${anchors.get(name)}` : null)).split(
      "### ",
    );
    return sections.join("### ");
  };

  it("of a function is shown by its overloads, without the one that has the body", () => {
    const text = shown(
      "/** Does. */\nexport function f(a: 1): 1;\nexport function f(a: 2): 2;\nexport function f(a: never): never { return a; }",
    );
    expect(text).toBe("f()\n\n```ts signature\nfunction f(a: 1): 1\nfunction f(a: 2): 2\n```\n\nDoes.\n");
  });

  it("of options is a table, with its codes and types as links", () => {
    const text = shown(
      "/** O. */\nexport type O = {\n  /** In ms. @throws OPTION_INVALID */\n  readonly a?: B;\n};\n/** B. */\nexport type B = 1 | 2;\n",
    );
    expect(text).toContain("| `a?` | [`B`](#b) | In ms. Throws [`OPTION_INVALID`](../errors.md#option_invalid). |");
  });

  it("of what is called has a section for each call", () => {
    const text = shown(
      "/** R. */\nexport type RunHandle = {\n  /** Go. */\n  readonly go: (to: string) => Promise<void>;\n};\n",
    );
    expect(text).toContain("#### run.go\n\n```ts signature\nrun.go(to: string): Promise<void>\n```\n\nGo.");
  });

  it("of a parameter with a default shows that it may be left out, and a list of names what it holds", () => {
    const text = shown(
      '/** F. */\nexport function f(a: string, b: B = {}): void {}\n/** L. */\nexport const L = ["x", "y"] as const;\n',
    );
    expect(text).toContain("function f(a: string, b?: B): void\n");
    expect(text).toContain('const L = ["x", "y"]\n');
  });

  it("that is an interface is shown as a type is, with what it extends", () => {
    const text = shown(
      [
        "/** B. */\nexport type Base = { /** One. */ readonly one: string };",
        "/** R. */\nexport interface RunHandle extends Base {\n  /** Go. */\n  readonly go: (to: string) => this;\n}\n",
      ].join("\n"),
    );
    expect(text).toContain("RunHandle\n\nR.\n\nEverything of [`Base`](#base), and:");
    expect(text).toContain("#### run.go\n\n```ts signature\nrun.go(to: string): this\n```\n\nGo.");
  });

  it("whose name is that of another heading gets the anchor that a reader's browser finds", () => {
    const source = "/** S. */\nexport function s(a: S): void {}\n/** T. */\nexport type S = string;\n";
    expect(shown(source).replaceAll("s()", "s")).toContain("See [`S`](#s-1).");
  });

  it("loses the modifiers that say nothing to who calls, and no others", () => {
    expect(calm("export type A = { readonly a: readonly B[]; -readonly [K in X]: 1 }")).toBe(
      "type A = { a: readonly B[]; -readonly [K in X]: 1 }",
    );
  });

  it("that leads nowhere is an error", () => {
    writeFileSync(join(folder, "odd.ts"), 'export { missing } from "./noun.ts";');
    expect(() => listExports(openSources(), join(folder, "odd.ts"))).toThrow("does not declare missing");
    expect(ts.version).toMatch(/^6/);
  });
});
