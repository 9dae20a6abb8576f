/**
 * API text: signatures as the source writes them, without what only the source needs, and doc comments as Markdown.
 */
import ts from "typescript";
import { ERROR_CODES } from "../packages/stepwell/src/model/codes.ts";

/** Where a name is explained, from the page that is being written; null: nowhere. */
export type Links = (name: string) => string | null;

/** The doc comment of a node. Empty when there is none. */
export type Doc = {
  readonly text: string;
  readonly params: readonly { readonly name: string; readonly text: string }[];
  readonly throws: readonly string[];
};

/** From a page of the reference to the table of errors, and to the promises. */
const ERRORS_PAGE = "../errors.md";
const PROMISES_PAGE = "../../ARCHITECTURE.md#promises";

/** Read the last doc comment before `node`. */
export function docOf(node: ts.Node, links: Links): Doc {
  const [comment] = ts.getJSDocCommentsAndTags(node).filter(ts.isJSDoc).slice(-1);
  if (comment === undefined) return { text: "", params: [], throws: [] };
  const tags = (comment.tags ?? []).map((tag) => ({ tag, text: prose(partsText(tag.comment), links) }));
  // A tag in the middle of a line is text to the parser.
  const [text = "", ...thrown] = partsText(comment.comment).split(/\s*@throws\s+/);
  return {
    text: prose(text, links),
    params: tags.flatMap(({ tag, text }) => (ts.isJSDocParameterTag(tag) ? [{ name: tag.name.getText(), text }] : [])),
    throws: [
      ...thrown.map((each) => prose(each, links)),
      ...tags.filter(({ tag }) => ts.isJSDocThrowsTag(tag)).map(({ tag, text }) => `${typeOfThrows(tag)}${text}`),
    ],
  };
}

/** The doc comment as paragraphs and lists. */
export function docLines({ text, params, throws }: Doc): readonly string[] {
  return [
    ...(text === "" ? [] : [text, ""]),
    ...params.map((param) => `- \`${param.name}\`: ${oneLine(param.text)}`),
    ...(params.length > 0 ? [""] : []),
    ...throws.flatMap((each) => [`Throws ${closed(oneLine(each))}`, ""]),
  ];
}

/** Up to its first full stop that ends a sentence; what leads to an example ends there. */
export function firstSentence({ text }: Doc): string {
  const [paragraph = ""] = text.split("\n\n");
  const line = oneLine(paragraph);
  return (/^.*?\.(?=\s|$)/.exec(line)?.[0] ?? line).replace(/:$/, ".");
}

/** With a full stop. */
export function closed(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

/** In one line, as for a cell of a table. */
export function oneLine(text: string): string {
  return text.replaceAll(/\s*\n\s*/g, " ").trim();
}

/** The source of `node` with the indentation of its own line taken off all lines. */
export function sourceOf(node: ts.Node): string {
  const file = node.getSourceFile();
  const start = node.getStart(file);
  const { line } = file.getLineAndCharacterOfPosition(start);
  const lineText = file.text.slice(file.getPositionOfLineAndCharacter(line, 0), start);
  const indent = /^\s*/.exec(lineText)?.[0] ?? "";
  return node.getText(file).replaceAll(new RegExp(`^${indent}`, "gm"), "");
}

/** Without `readonly`, `export` and `declare`, which say nothing to who calls. */
export function calm(source: string): string {
  return source.replaceAll(/(?:\b(?:export|declare) |(?<!-)\breadonly (?=[\w"]+\??:|\[\w+ in ))/g, "");
}

/** A function member as it is called, one line or block per overload; null for data. */
export function callsOf(member: ts.PropertySignature | ts.MethodSignature, receiver: string): readonly string[] | null {
  const name = member.name?.getText() ?? "";
  const called = name.startsWith("[") ? `${receiver}${name}` : `${receiver}.${name}`;
  if (ts.isMethodSignature(member)) return [`${called}${calm(sourceOf(member).slice(name.length))}`];
  if (member.type === undefined) return null;
  if (ts.isFunctionTypeNode(member.type)) return [`${called}${signatureText(member.type)}`];
  if (!ts.isTypeLiteralNode(member.type) || !member.type.members.every(ts.isCallSignatureDeclaration)) return null;
  return member.type.members.filter(ts.isCallSignatureDeclaration).map((each) => `${called}${signatureText(each)}`);
}

/** `(a: A) => B` as `(a: A): B`. */
function signatureText(signature: ts.FunctionTypeNode | ts.CallSignatureDeclaration): string {
  const whole = sourceOf(signature);
  const type = signature.type === undefined ? "void" : sourceOf(signature.type);
  const head = ts.isFunctionTypeNode(signature)
    ? whole.slice(0, whole.length - type.length).replace(/\s*=>\s*$/, "")
    : null;
  return calm(head === null ? whole.replace(/;$/, "") : `${head}: ${type}`);
}

/** Names of types that a node mentions, in the order of the text, each once; type parameters too. */
export function typeNamesIn(nodes: readonly ts.Node[]): readonly string[] {
  const names = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (ts.isBlock(node)) return;
    if (ts.isTypeReferenceNode(node) && ts.isIdentifier(node.typeName)) names.add(node.typeName.text);
    if (ts.isExpressionWithTypeArguments(node) && ts.isIdentifier(node.expression)) names.add(node.expression.text);
    if (ts.isTypeQueryNode(node) && ts.isIdentifier(node.exprName)) names.add(node.exprName.text);
    ts.forEachChild(node, visit);
  };
  for (const node of nodes) visit(node);
  return [...names];
}

function partsText(comment: string | ts.NodeArray<ts.JSDocComment> | undefined): string {
  if (comment === undefined || typeof comment === "string") return comment ?? "";
  return comment.map((part) => (ts.isJSDocLink(part) ? `{${part.name?.getText() ?? part.text}}` : part.text)).join("");
}

/** The parser takes the first word after `@throws` for nothing but a type in braces. */
function typeOfThrows(tag: ts.JSDocTag): string {
  return ts.isJSDocThrowsTag(tag) && tag.typeExpression !== undefined ? `${tag.typeExpression.getText()} ` : "";
}

/** Names in braces, error codes and promises become links; code spans stay as they are. */
function prose(text: string, links: Links): string {
  return text
    .trim()
    .split(/(`[^`]*`)/)
    .map((part, at) => (at % 2 === 1 ? part : linked(part, links)))
    .join("");
}

function linked(text: string, links: Links): string {
  return text
    .replaceAll(/\{(\w+)\}/g, (_, name: string) => typeLink(name, links))
    .replaceAll(/\b[A-Z]+(?:_[A-Z]+)+\b/g, (word) =>
      Object.hasOwn(ERROR_CODES, word) ? `[\`${word}\`](${ERRORS_PAGE}#${word.toLowerCase()})` : word,
    )
    .replaceAll(/\bP\d+\b/g, (promise) => `[${promise}](${PROMISES_PAGE})`);
}

/** A name as code, with a link where it has a home. */
export function typeLink(name: string, links: Links): string {
  const target = links(name);
  return target === null ? `\`${name}\`` : `[\`${name}\`](${target})`;
}
