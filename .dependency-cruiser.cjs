/**
 * Rooms and doors: which folder may import which. A rule's comment is what you read when it trips.
 *
 *     model ◂ store ◂ engine ◂ definition
 *
 * index.ts and engine/open.ts wire the adapters to the engine; testing/ sees every room and is seen by none.
 */
"use strict";

const LIBRARY = "^packages/stepwell/src/";
/** Reached by a path; a workspace reached by its name is an alias. */
const BY_PATH = { dependencyTypes: ["local"], dependencyTypesNot: ["aliased-workspace"] };
const NPM = ["npm", "npm-dev", "npm-optional", "npm-peer", "npm-no-pkg", "npm-unknown", "npm-bundled"];

const rule = (name, comment, from, to) => ({ name, severity: "error", comment, from, to });

/** Of the library, the files in `from` may import those in `to` and nothing else. Both are patterns below src/. */
const door = (name, comment, from, to) =>
  rule(name, comment, { path: LIBRARY + from }, { path: LIBRARY, pathNot: to.map((room) => LIBRARY + room) });

module.exports = {
  forbidden: [
    rule("no-circles", "Two files that need each other are one file, or a third is missing.", {}, { circular: true }),
    rule(
      "no-dead-ends",
      "Resolves to nothing: a slip of the pen, or a missing dependency.",
      {},
      { couldNotResolve: true },
    ),

    door("model-door", "model/ is plain data and pure functions; it knows nobody.", "model/", ["model/"]),
    door("store-door", "A store maps model/ to SQL; it never calls the engine.", "store/", ["store/", "model/"]),
    door(
      "engine-door",
      "The engine sees the store's port; only engine/open.ts picks an adapter.",
      "engine/(?!open\\.ts$)",
      ["engine/", "model/", "store/(store|write|tx)\\.ts$"],
    ),
    door("open-door", "engine/open.ts wires a store to the engine, nothing else.", "engine/open\\.ts$", [
      "engine/",
      "model/",
      "store/",
    ]),
    door("definition-door", "A definition becomes a workflow; it knows no run and no store.", "definition/", [
      "definition/",
      "model/",
      "engine/workflow\\.ts$",
    ]),

    rule(
      "model-is-portable",
      "model/ must run in a browser and drag nothing along; types of @standard-schema/spec are the one thing it may borrow.",
      { path: `${LIBRARY}model/` },
      { dependencyTypes: ["core", ...NPM], pathNot: "@standard-schema/spec" },
    ),
    rule(
      "schemas-are-types",
      "From @standard-schema/spec import types only; it has no code.",
      { path: LIBRARY },
      { path: "@standard-schema/spec", dependencyTypesNot: ["type-only"] },
    ),
    rule(
      "kernel-is-portable",
      "The simulation's kernel must run in a browser; keep Node's modules out of everything it reaches.",
      { path: `${LIBRARY}testing/simulation/kernel\\.ts$` },
      { path: "^(node:)?[a-z0-9_/]+$", reachable: true },
    ),
    rule(
      "tests-stay-out",
      "testing/ is for tests and for authors of adapters; the library runs without it.",
      { path: "^packages/[^/]+/src/(?!testing/)" },
      { path: "^packages/[^/]+/(src/testing|test)/" },
    ),

    rule(
      "front-door-only",
      "Into a package by its name (`stepwell`), never by a path to its files.",
      { path: "^(series|bench)/" },
      { path: "^packages/", ...BY_PATH },
    ),
    rule(
      "front-door-only-between-packages",
      "Into another package by its name, never by a path to its files.",
      { path: "^packages/([^/]+)/" },
      { path: "^packages/", pathNot: "^packages/$1/", ...BY_PATH },
    ),
  ],
  options: {
    tsPreCompilationDeps: true,
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^packages/[^/]+/dist/" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["stepwell-source", "import", "types", "default"],
      extensions: [".ts", ".mts", ".js", ".mjs", ".cjs", ".json"],
    },
  },
};
