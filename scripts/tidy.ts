/**
 * House rules that no compiler checks. tidy.test.ts runs them over the repository.
 *
 * Each rule says what is wrong and what to do instead. To loosen a rule, change it here, in review:
 * there are no exemptions per line or per file. Only `*.generated.ts` is left out.
 */
import ts from "typescript";

const LINES_PER_FILE_MAX = 400;
const LINES_PER_FUNCTION_MAX = 70;
const PARAMETERS_MAX = 4;

/** One broken rule, with its remedy. `line` is 1-based. */
export type Complaint = { readonly line: number; readonly text: string };

/** What a file is: the library, everything around it, or a test of either. Fewer rules hold outside `src`. */
type Area = "src" | "around" | "test";

type Source = {
  readonly path: string;
  readonly area: Area;
  readonly text: string;
  readonly file: ts.SourceFile;
};

type Rule = { readonly areas: readonly Area[]; readonly inspect: (source: Source) => readonly Complaint[] };

const EVERYWHERE: readonly Area[] = ["src", "around", "test"];
const CODE: readonly Area[] = ["src", "around"];

const RULES: readonly Rule[] = [
  { areas: CODE, inspect: fileName },
  { areas: EVERYWHERE, inspect: fileSize },
  { areas: EVERYWHERE, inspect: header },
  { areas: EVERYWHERE, inspect: markers },
  { areas: EVERYWHERE, inspect: functions },
  { areas: CODE, inspect: docComments },
  { areas: CODE, inspect: classes },
  { areas: ["src"], inspect: bareErrors },
  { areas: ["src"], inspect: machine },
];

/**
 * All complaints about one file, in the order of the lines.
 *
 * @param path from the root of the repository, with forward slashes; decides which rules hold
 * @param text TypeScript, or SQL where the path ends so
 */
export function inspect(path: string, text: string): readonly Complaint[] {
  if (path.endsWith(".generated.ts")) return [];
  const sql = path.endsWith(".sql");
  const file = ts.createSourceFile(path, sql ? "" : text, ts.ScriptTarget.Latest, true);
  const source: Source = { path, area: areaOf(path), text, file };
  return RULES.filter((rule) => rule.areas.includes(source.area))
    .flatMap((rule) => rule.inspect(source))
    .sort((a, b) => a.line - b.line);
}

function areaOf(path: string): Area {
  if (/\.test(-d)?\.ts$/.test(path) || /^packages\/[^/]+\/test\//.test(path)) return "test";
  return /^packages\/[^/]+\/src\//.test(path) ? "src" : "around";
}

// ---- the file as a whole

function fileName({ path }: Source): readonly Complaint[] {
  const complaints: Complaint[] = [];
  for (const name of path.split("/")) {
    const stem = name.replace(/\.(ts|sql)$/, "");
    if (!/^[a-z0-9]+([-.][a-z0-9]+)*$/.test(stem)) {
      complaints.push({ line: 1, text: `"${name}" is not kebab-case; rename it like-this.ts` });
    }
    const vague = /(^|[-.])(utils?|helpers?|commons?|types?|managers?)($|[-.])/.exec(stem)?.[2];
    if (vague !== undefined) {
      complaints.push({ line: 1, text: `"${vague}" names no thing; name the file after the noun or the verb inside` });
    }
  }
  return complaints;
}

function fileSize({ text }: Source): readonly Complaint[] {
  const lines = text.trimEnd().split("\n").length;
  if (lines <= LINES_PER_FILE_MAX) return [];
  return [{ line: 1, text: `${lines} lines, ${LINES_PER_FILE_MAX} allowed; split the file along its nouns` }];
}

function header({ path, text }: Source): readonly Complaint[] {
  const opening = path.endsWith(".sql") ? "--" : "/**";
  return text.startsWith(opening)
    ? []
    : [{ line: 1, text: `no header; open with ${opening} and say what the file is for` }];
}

/** Written so that this file does not complain about itself. */
const MARKERS = /\b(TO(?:DO)|FIX(?:ME)|XX(?:X)|HA(?:CK))\b/;

const EXEMPTIONS = /(?:ox|es)lint-(?:disable)|@ts-(?:ignore|nocheck)/;

function markers({ text }: Source): readonly Complaint[] {
  return [
    ...linesWith(text, MARKERS, "leftover marker; finish it or open an issue"),
    ...linesWith(
      text,
      EXEMPTIONS,
      "an exemption from a rule; write it so that the rule holds, or change the rule for all",
    ),
  ];
}

function linesWith(text: string, pattern: RegExp, complaint: string): readonly Complaint[] {
  return text.split("\n").flatMap((line, at) => (pattern.test(line) ? [{ line: at + 1, text: complaint }] : []));
}

// ---- what stands in it

/** A suite is as long as what is left of it without its tests, `it("does this", () => …)`: each counts for itself. */
function functions(source: Source): readonly Complaint[] {
  return visit(source, (node) => {
    if (!ts.isFunctionLike(node) || !("body" in node) || node.body === undefined) return [];
    const lines = linesOf(source, node) - linesOfTests(source, node.body);
    const parameters = node.parameters.filter((parameter) => parameter.name.getText(source.file) !== "this").length;
    return [
      ...(lines > LINES_PER_FUNCTION_MAX
        ? [
            `function of ${lines} lines, ${LINES_PER_FUNCTION_MAX} allowed; keep its branches, move the straight parts out`,
          ]
        : []),
      ...(parameters > PARAMETERS_MAX
        ? [`${parameters} parameters, ${PARAMETERS_MAX} allowed; pass one object with named fields`]
        : []),
    ];
  });
}

function linesOf(source: Source, node: ts.Node): number {
  return lineOf(source, node.end) - lineOf(source, node.getStart(source.file)) + 1;
}

function linesOfTests(source: Source, node: ts.Node): number {
  let lines = 0;
  ts.forEachChild(node, (child) => {
    lines += isTest(child) ? linesOf(source, child) : linesOfTests(source, child);
  });
  return lines;
}

function isTest(node: ts.Node): boolean {
  if (!ts.isExpressionStatement(node) || !ts.isCallExpression(node.expression)) return false;
  const [title, body] = [node.expression.arguments[0], node.expression.arguments.at(-1)];
  return title !== undefined && ts.isStringLiteralLike(title) && body !== undefined && ts.isArrowFunction(body);
}

/** The header of a file is no doc comment of its first export; the overloads of a function share one. */
function docComments(source: Source): readonly Complaint[] {
  const documented = new Set<string>();
  return visit(source, (node) => {
    if (node.parent !== source.file || !isExported(node)) return [];
    const name = ts.isFunctionDeclaration(node) ? (node.name?.text ?? "") : "";
    const comments = ts.getJSDocCommentsAndTags(node).filter((comment) => comment.pos > 0 && ts.isJSDoc(comment));
    if (comments.length > 0) documented.add(name);
    else if (name === "" || !documented.has(name)) return ["export without a doc comment; say what its type cannot"];
    return [];
  });
}

function isExported(node: ts.Node): boolean {
  return ts.canHaveModifiers(node) && (ts.getModifiers(node) ?? []).some((m) => m.kind === ts.SyntaxKind.ExportKeyword);
}

function classes(source: Source): readonly Complaint[] {
  return visit(source, (node) => {
    if (!ts.isClassLike(node)) return [];
    const base = node.heritageClauses?.find((clause) => clause.token === ts.SyntaxKind.ExtendsKeyword)?.types[0];
    if (base?.expression.getText(source.file).endsWith("Error")) return [];
    return ["class that is no error; use plain data, or a function that returns an object"];
  });
}

/**
 * Kept in a variable it may be an error read back, or a sentinel that nobody sees; thrown or passed on it is neither.
 * Code under testing/ plays the user, who throws what he likes.
 */
function bareErrors(source: Source): readonly Complaint[] {
  if (source.path.includes("/src/testing/")) return [];
  return visit(source, (node) => {
    if (!ts.isNewExpression(node) && !ts.isCallExpression(node)) return [];
    if (node.expression.getText(source.file) !== "Error" || ts.isVariableDeclaration(node.parent)) return [];
    return ["bare Error; use StepwellError with a code, so that callers can branch on it"];
  });
}

// ---- effects at the rim

/** The one file of the library that may touch the machine's clock, dice and schedulers. */
const HOST_FILE = "packages/stepwell/src/engine/host.ts";

const CLOCK_AND_DICE =
  /^((globalThis\.)?(Date\.now|Math\.random|performance\.(now|timeOrigin)|process\.(hrtime|uptime)|crypto\.(randomUUID|getRandomValues)))$/;
const SCHEDULERS = /^(setTimeout|setInterval|setImmediate)$/;
const IMPURE_IMPORTS =
  /^(randomUUID|randomBytes|randomInt|getRandomValues|randomFill(Sync)?|hrtime|performance|uuidv[47]|uuidv7obj)$/;

function machine(source: Source): readonly Complaint[] {
  if (source.path === HOST_FILE) return [];
  const scheduled = source.path.includes("/src/engine/");
  return visit(source, (node) => {
    const text = nameOf(node, source);
    if (CLOCK_AND_DICE.test(text) || isDateOfNow(node, source)) {
      return ["clock or dice; take nowMs, random or freshId from the host (engine/host.ts)"];
    }
    if (ts.isImportSpecifier(node) && IMPURE_IMPORTS.test((node.propertyName ?? node.name).text)) {
      return [`clock or dice: "${node.name.text}"; take them from the host (engine/host.ts)`];
    }
    if (/^process\.(env|argv)$/.test(text)) {
      return ["environment or flags; only the command line reads them, take an option"];
    }
    if (scheduled && ts.isCallExpression(node) && SCHEDULERS.test(node.expression.getText(source.file))) {
      return ["a scheduler of its own; use host.defer or host.timer, so that a simulation owns the order of events"];
    }
    return [];
  });
}

function nameOf(node: ts.Node, source: Source): string {
  return ts.isPropertyAccessExpression(node) ? node.getText(source.file) : "";
}

/** `new Date()` and `Date()`, but not `new Date(0)`. */
function isDateOfNow(node: ts.Node, source: Source): boolean {
  if (!ts.isNewExpression(node) && !ts.isCallExpression(node)) return false;
  if (node.expression.getText(source.file) !== "Date") return false;
  return ts.isCallExpression(node) || (node.arguments ?? []).length === 0;
}

// ---- walking

function visit(source: Source, inspectNode: (node: ts.Node) => readonly string[]): readonly Complaint[] {
  const complaints: Complaint[] = [];
  const walk = (node: ts.Node): void => {
    const line = lineOf(source, node.getStart(source.file));
    for (const text of inspectNode(node)) complaints.push({ line, text });
    ts.forEachChild(node, walk);
  };
  walk(source.file);
  return complaints;
}

function lineOf(source: Source, position: number): number {
  return source.file.getLineAndCharacterOfPosition(position).line + 1;
}
