/**
 * Writes the API reference, docs/api/, from the types of the library and their comments.
 *
 *     node scripts/build-api.ts            write
 *     node scripts/build-api.ts --check    exit with 1 when a page is stale, naming it
 *
 * A page for each entry of the package. What is exported comes first; at the end stands what the signatures mention
 * and the entry does not export.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import ts from "typescript";
import { anchorsOf, type Group, type Page, renderPage } from "./api-page.ts";
import {
  type Declared,
  findDeclared,
  isTypeDeclaration,
  listExports,
  openSources,
  type Sources,
} from "./api-source.ts";
import { type Links, typeNamesIn } from "./api-text.ts";

const ROOT = join(import.meta.dirname, "..");

/** What users import, the module that it is, and the page that tells of it. */
type Entry = { readonly title: string; readonly module: string; readonly page: string; readonly intro: string };

const ENTRIES: readonly Entry[] = [
  {
    title: "stepwell",
    module: "packages/stepwell/src/index.ts",
    page: "docs/api/stepwell.md",
    intro: [
      'Everything that `import { … } from "stepwell"` gives. For what the words mean and how they belong together, read',
      "[the concepts](../guides/concepts.md) first; what each error means and what to do stands in [errors](../errors.md).",
      "",
      "A schema is any [Standard Schema](https://standardschema.dev): zod, valibot and arktype make them.",
      "",
      "Names tell units: `…Ms` is a length in milliseconds, `…AtMs` a moment in milliseconds since 1970. Where a",
      "[`Duration`](#duration) is taken, a number is milliseconds and a text has a unit. Every call that returns a promise may",
      "also reject with an error of [the store](../errors.md#engine-and-store).",
    ].join("\n"),
  },
  {
    title: "stepwell/testing",
    module: "packages/stepwell/src/testing/index.ts",
    page: "docs/api/testing.md",
    intro: [
      'What `import { … } from "stepwell/testing"` gives: for tests of workflows, and for those who write a store of their',
      "own. What [stepwell](stepwell.md) shows is not shown again.",
    ].join("\n"),
  },
];

type Written = { readonly path: string; readonly page: Page };

/** The pages and their texts, by path. */
export function buildApi(): ReadonlyMap<string, string> {
  const sources = openSources();
  const written: Written[] = [];
  for (const entry of ENTRIES) written.push({ path: entry.page, page: toPage(sources, entry, written) });
  return new Map(written.map(({ path, page }) => [path, renderPage(page, linksFrom(path, written))]));
}

/** What earlier pages show is not shown again. */
function toPage(sources: Sources, { title, module, intro }: Entry, earlier: readonly Written[]): Page {
  const shown = new Set(earlier.flatMap(({ page }) => page.groups.flatMap((group) => group.declared.map(identity))));
  const exports = listExports(sources, join(ROOT, module)).filter((one) => !shown.has(identity(one)));
  const groups: readonly Group[] = [
    { title: "Functions", declared: exports.filter(({ nodes }) => nodes.some(ts.isFunctionDeclaration)) },
    {
      title: "Types",
      declared: exports.filter(
        ({ nodes: [node] }) => node !== undefined && isTypeDeclaration(node) && !isAboutErrors(node),
      ),
    },
    { title: "Errors", declared: exports.filter(({ nodes: [node] }) => node !== undefined && isAboutErrors(node)) },
    { title: "Mentioned above", declared: mentioned(sources, exports, shown) },
  ];
  return { title, intro, groups: groups.filter(({ declared }) => declared.length > 0) };
}

function isAboutErrors(node: ts.Node): boolean {
  return /(errors|codes)\.ts$/.test(node.getSourceFile().fileName);
}

/** Types of ours that are mentioned, also by one another, and not exported here. */
function mentioned(sources: Sources, exports: readonly Declared[], shown: ReadonlySet<string>): readonly Declared[] {
  const known = new Set([...shown, ...exports.map(identity)]);
  const found: Declared[] = [];
  const queue = [...exports];
  for (let one = queue.shift(); one !== undefined; one = queue.shift()) {
    const several = one.nodes.length > 1;
    const nodes = one.nodes.filter((node) => !several || !ts.isFunctionDeclaration(node) || node.body === undefined);
    for (const name of typeNamesIn(nodes)) {
      const declared = findDeclared(sources, one.file.fileName, name);
      if (declared === null || known.has(identity(declared))) continue;
      known.add(identity(declared));
      found.push(declared);
      queue.push(declared);
    }
  }
  return found;
}

function identity({ name, file }: Declared): string {
  return `${file.fileName}#${name}`;
}

function linksFrom(path: string, written: readonly Written[]): Links {
  const targets = new Map<string, string>();
  for (const other of written.toReversed()) {
    const page = other.path === path ? "" : relative(dirname(path), other.path);
    for (const [name, anchor] of anchorsOf(other.page)) targets.set(name, `${page}#${anchor}`);
  }
  for (const own of written.filter((other) => other.path === path)) {
    for (const [name, anchor] of anchorsOf(own.page)) targets.set(name, `#${anchor}`);
  }
  return (name) => targets.get(name) ?? null;
}

function main(check: boolean): void {
  for (const [path, wanted] of buildApi()) {
    const target = join(ROOT, path);
    const found = existsSync(target) ? readFileSync(target, "utf8") : null;
    if (found === wanted) continue;
    if (check) {
      console.error(`${path} is stale; run \`npm run generate\` and commit it.`);
      process.exitCode = 1;
    } else {
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, wanted);
      console.log(`wrote ${path}`);
    }
  }
}

if (import.meta.main) main(process.argv.includes("--check"));
