/**
 * API page: the reference of one entry of the library, as Markdown.
 *
 * A function is shown with its overloads; a type whose members are called (Ctx, Engine) with a section for each; a
 * type of options as a table; any other type as it is declared.
 */
import ts from "typescript";
import { type Declared, isTypeDeclaration } from "./api-source.ts";
import {
  callsOf,
  calm,
  closed,
  docLines,
  docOf,
  firstSentence,
  type Links,
  oneLine,
  sourceOf,
  typeLink,
  typeNamesIn,
} from "./api-text.ts";

/** Declarations under one heading. */
export type Group = { readonly title: string; readonly declared: readonly Declared[] };

/** What a page shows. `intro` is Markdown. */
export type Page = { readonly title: string; readonly intro: string; readonly groups: readonly Group[] };

/** What members are called on, as users name it. */
const RECEIVERS: ReadonlyMap<string, string> = new Map([
  ["RunHandle", "run"],
  ["ChildChain", "chain"],
  ["NamedChain", "chain"],
  ["RunExpectation", "expectRun(run)"],
  ["ServiceControls", "fake"],
  ["ShapedChain", "chain"],
  ["StepChain", "chain"],
  ["TestEngine", "t"],
]);

/** The page. `links` knows the other names, see {@link anchorsOf}. */
export function renderPage({ title, intro, groups }: Page, links: Links): string {
  const lines = [
    `# ${title}`,
    "",
    "<!-- Written by `npm run generate` from the types and their comments. Do not edit. -->",
    "",
    intro,
    "",
    ...groups.flatMap((group) => [`**${group.title}**`, "", ...group.declared.map((one) => entryOf(one, links)), ""]),
    ...groups.flatMap((group) => [
      `## ${group.title}`,
      "",
      ...group.declared.flatMap((one) => [`### ${headingOf(one)}`, "", ...renderDeclared(one, links)]),
    ]),
  ];
  return `${lines
    .join("\n")
    .replaceAll(/\n{3,}/g, "\n\n")
    .trimEnd()}\n`;
}

function entryOf(one: Declared, links: Links): string {
  const what = firstSentence(docOf(docNode(one), links));
  return `- ${typeLink(one.name, links)}${what === "" ? "" : `: ${what}`}`;
}

/** The anchor of each name on the page, as GitHub numbers headings that are alike. */
export function anchorsOf({ title, groups }: Page): ReadonlyMap<string, string> {
  const taken = new Set<string>();
  const take = (heading: string): string => {
    const slug = heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-");
    let anchor = slug;
    for (let count = 1; taken.has(anchor); count += 1) anchor = `${slug}-${count}`;
    taken.add(anchor);
    return anchor;
  };
  const anchors = new Map<string, string>();
  take(title);
  for (const group of groups) {
    take(group.title);
    for (const one of group.declared) {
      anchors.set(one.name, take(headingOf(one)));
      for (const call of membersOf(one).filter((member) => isCalled(one, member))) take(memberHeading(one, call));
    }
  }
  return anchors;
}

/** The name as it is written where it is declared: a function with parentheses, so that `signal()` is not `Signal`. */
function headingOf({ name, nodes }: Declared): string {
  return nodes.some(ts.isFunctionDeclaration) ? `${name}()` : name;
}

function renderDeclared(one: Declared, links: Links): readonly string[] {
  const [node] = one.nodes;
  if (node === undefined) return [];
  const lead = docLines(docOf(docNode(one), links));
  if (ts.isFunctionDeclaration(node)) return [...block(overloadsOf(one)), ...mentions(one, one.nodes, links), ...lead];
  if (ts.isVariableStatement(node)) return [...lead, ...block([constantText(node)])];
  const plain = shapeOf(one) === null || !hasWords(one);
  if (plain && !ts.isClassDeclaration(node)) {
    return [...lead, ...block([calm(sourceOf(node))]), ...mentions(one, [node], links)];
  }
  return [...lead, ...parametersLine(node), ...basesLine(node, links), ...renderMembers(one, links)];
}

function renderMembers(one: Declared, links: Links): readonly string[] {
  const members = membersOf(one);
  const called = members.filter(canBeCalled).filter((member) => isCalled(one, member));
  const data = members.filter((member) => !isCalled(one, member));
  const constructors = one.nodes.flatMap((node) => (ts.isClassDeclaration(node) ? constructorText(node) : []));
  return [
    ...block(constructors),
    ...table(data, links),
    ...called.flatMap((member) => [
      `#### ${memberHeading(one, member)}`,
      "",
      ...block(callsOf(member, receiverOf(one.name)) ?? []),
      ...mentions(one, [member], links),
      ...docLines(docOf(member, links)),
    ]),
  ];
}

/** Whether a table or sections would say more than the declaration does. */
function hasWords(one: Declared): boolean {
  return membersOf(one).some((member) => commentOf(member) !== "");
}

/** Data members, and the functions among options. */
function table(members: readonly Member[], links: Links): readonly string[] {
  if (members.length === 0) return [];
  const rows = members.map((member) => {
    const name = `${member.name?.getText() ?? ""}${member.questionToken === undefined ? "" : "?"}`;
    const { text, throws } = docOf(member, links);
    const what = [text, ...throws.map((each) => `Throws ${closed(each)}`)].filter((each) => each !== "").join(" ");
    return `| \`${name}\` | ${typeCell(member, links)} | ${oneLine(what)} |`;
  });
  return ["| name | type | |", "| --- | --- | --- |", ...rows, ""];
}

function typeCell(member: Member, links: Links): string {
  const { type } = member;
  if (type === undefined) return "";
  const text = oneLine(calm(sourceOf(type)));
  if (/^\w+$/.test(text)) return typeLink(text, links);
  const found = typeNamesIn([type]).filter((name) => links(name) !== null);
  const also = found.length === 0 ? "" : `; see ${found.map((name) => typeLink(name, links)).join(", ")}`;
  return `\`${text.replaceAll("|", "\\|")}\`${also}`;
}

/** Links to the types that a signature mentions. */
function mentions(one: Declared, nodes: readonly ts.Node[], links: Links): readonly string[] {
  const names = typeNamesIn(nodes).filter((name) => name !== one.name && links(name) !== null);
  return names.length === 0 ? [] : [`See ${names.map((name) => typeLink(name, links)).join(", ")}.`, ""];
}

/** Type parameters, which a table of fields does not show. */
function parametersLine(
  node: ts.TypeAliasDeclaration | ts.InterfaceDeclaration | ts.ClassDeclaration,
): readonly string[] {
  const parameters = (node.typeParameters ?? []).map((parameter) => `\`${sourceOf(parameter)}\``);
  return parameters.length === 0 ? [] : [`Type parameters: ${parameters.join(", ")}.`, ""];
}

function basesLine(node: ts.Node, links: Links): readonly string[] {
  if (ts.isClassDeclaration(node)) return ["Extends `Error`.", ""];
  const names = basesOf(node).map((base) => {
    const text = `\`${oneLine(sourceOf(base))}\``;
    const target = links(typeNamesIn([base])[0] ?? "");
    return target === null ? text : `[${text}](${target})`;
  });
  return names.length === 0 ? [] : [`Everything of ${names.join(" and ")}, and:`, ""];
}

/** What a type adds its own members to. */
function basesOf(node: ts.Node): readonly ts.TypeNode[] {
  if (ts.isInterfaceDeclaration(node)) return (node.heritageClauses ?? []).flatMap(({ types }) => [...types]);
  if (!ts.isTypeAliasDeclaration(node) || !ts.isIntersectionTypeNode(node.type)) return [];
  return node.type.types.filter((type) => !ts.isTypeLiteralNode(type));
}

function block(texts: readonly string[]): readonly string[] {
  return texts.length === 0 ? [] : ["```ts signature", ...texts, "```", ""];
}

type Called = ts.PropertySignature | ts.MethodSignature;
type Field = ts.PropertyDeclaration | ts.GetAccessorDeclaration;
type Member = Called | Field;

/** Members that users see; not those that only carry types, which their comment says. */
function membersOf(one: Declared): readonly Member[] {
  const all = one.nodes.flatMap((node): readonly Member[] =>
    ts.isClassDeclaration(node) ? node.members.filter(isField) : (shapeOf(one)?.members.filter(canBeCalled) ?? []),
  );
  return all.filter((member) => !/never called/.test(commentOf(member)));
}

function canBeCalled(member: ts.Node): member is Called {
  return ts.isPropertySignature(member) || ts.isMethodSignature(member);
}

/** Every error has a name. */
function isField(member: ts.ClassElement): member is Field {
  return (ts.isPropertyDeclaration(member) || ts.isGetAccessor(member)) && member.name.getText() !== "name";
}

function commentOf(node: ts.Node): string {
  return ts
    .getJSDocCommentsAndTags(node)
    .map((comment) => comment.getText())
    .join("");
}

/** Whether a member has a section of its own: in types that are mostly called, what can be called. */
function isCalled(one: Declared, member: Member): boolean {
  const members = hasWords(one) ? membersOf(one) : [];
  const functions = members.filter(canBeCalled).filter((each) => callsOf(each, "") !== null);
  const required = functions.filter((each) => each.questionToken === undefined);
  return required.length * 2 >= members.length && functions.some((each) => each === member);
}

function memberHeading(one: Declared, member: Member): string {
  const name = member.name?.getText() ?? "";
  return name.startsWith("[") ? `${receiverOf(one.name)}${name}` : `${receiverOf(one.name)}.${name}`;
}

function receiverOf(name: string): string {
  return RECEIVERS.get(name) ?? `${name.charAt(0).toLowerCase()}${name.slice(1)}`;
}

/** What has the members: an interface, or the object type of an alias, also the one in an intersection. */
function shapeOf({ nodes: [node] }: Declared): ts.TypeLiteralNode | ts.InterfaceDeclaration | null {
  if (node === undefined || !isTypeDeclaration(node)) return null;
  if (ts.isInterfaceDeclaration(node)) return node;
  const { type } = node;
  if (ts.isTypeLiteralNode(type)) return type;
  const parts: readonly ts.TypeNode[] = ts.isIntersectionTypeNode(type) ? type.types : [];
  const simple = parts.every((part) => ts.isTypeLiteralNode(part) || ts.isTypeReferenceNode(part));
  return simple ? (parts.find(ts.isTypeLiteralNode) ?? null) : null;
}

/** Where the comment stands: at the first declaration. */
function docNode({ nodes: [node] }: Declared): ts.Node {
  if (node === undefined) throw new Error("a declaration without a node");
  return node;
}

function overloadsOf({ nodes }: Declared): readonly string[] {
  const functions = nodes.filter(ts.isFunctionDeclaration);
  const shown = functions.length === 1 ? functions : functions.filter((node) => node.body === undefined);
  return shown.map((node) => {
    const text = withoutDefaults(node);
    return calm(node.body === undefined ? text : text.slice(0, text.length - sourceOf(node.body).length).trimEnd())
      .replace(/^async /, "")
      .replace(/;$/, "");
  });
}

/** A parameter that has a default may be left out. */
function withoutDefaults(node: ts.FunctionDeclaration): string {
  return node.parameters.reduce((text, { name, type, initializer }) => {
    if (initializer === undefined || type === undefined) return text;
    const [declared, shown] = [`${name.getText()}: ${sourceOf(type)}`, `${name.getText()}?: ${sourceOf(type)}`];
    return text.replace(`${declared} = ${sourceOf(initializer)}`, shown);
  }, sourceOf(node));
}

function constructorText(node: ts.ClassDeclaration): readonly string[] {
  return node.members.filter(ts.isConstructorDeclaration).map((made) => {
    const parameters = made.parameters.map((one) => {
      const optional = one.questionToken !== undefined || one.initializer !== undefined ? "?" : "";
      return `${one.name.getText()}${optional}: ${one.type === undefined ? "unknown" : oneLine(sourceOf(one.type))}`;
    });
    return `new ${node.name?.text ?? ""}(${calm(parameters.join(", "))})`;
  });
}

/** A table of values is told by its first entry. */
function constantText(node: ts.VariableStatement): string {
  const [declaration] = node.declarationList.declarations;
  const name = declaration?.name.getText() ?? "";
  if (declaration?.type !== undefined) return `const ${name}: ${sourceOf(declaration.type)}`;
  const made = declaration?.initializer;
  const value = bare(made);
  if (value !== undefined && ts.isArrayLiteralExpression(value)) return `const ${name} = ${sourceOf(value)}`;
  if (value === undefined || !ts.isObjectLiteralExpression(value)) return `const ${name}`;
  const [first, ...others] = value.properties;
  return [
    `const ${name} = {`,
    `  ${sourceOf(first!).replaceAll("\n", "\n  ")},`,
    `  // … and ${others.length} more`,
    "}",
  ].join("\n");
}

/** Without `as const` and `satisfies …`. */
function bare(made: ts.Expression | undefined): ts.Expression | undefined {
  const dressed = made !== undefined && (ts.isAsExpression(made) || ts.isSatisfiesExpression(made));
  return dressed ? bare(made.expression) : made;
}
