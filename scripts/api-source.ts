/**
 * API source: what an entry of the library exports, as declarations in the syntax trees of its files.
 *
 * Syntax is enough, no checker: every export of the library is declared with its types in full.
 */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import ts from "typescript";

/** One exported name and all of its declarations: the overloads of a function, else a single one. */
export type Declared = { readonly name: string; readonly file: ts.SourceFile; readonly nodes: readonly Declaration[] };

/** What can be declared. */
export type Declaration =
  | ts.FunctionDeclaration
  | ts.TypeAliasDeclaration
  | ts.InterfaceDeclaration
  | ts.ClassDeclaration
  | ts.VariableStatement;

/** Whether a node declares a type: by an alias, or by an interface where the type speaks of `this`. */
export function isTypeDeclaration(node: ts.Node): node is ts.TypeAliasDeclaration | ts.InterfaceDeclaration {
  return ts.isTypeAliasDeclaration(node) || ts.isInterfaceDeclaration(node);
}

/** Reads each file once. */
export type Sources = { readonly read: (path: string) => ts.SourceFile };

/** See {@link Sources}. */
export function openSources(): Sources {
  const files = new Map<string, ts.SourceFile>();
  return {
    read: (path) => {
      const file =
        files.get(path) ?? ts.createSourceFile(path, readFileSync(path, "utf8"), ts.ScriptTarget.Latest, true);
      files.set(path, file);
      return file;
    },
  };
}

/** What `path` exports by `export … from`, in the order written. @throws Error for an export that leads nowhere */
export function listExports(sources: Sources, path: string): readonly Declared[] {
  return sources.read(path).statements.flatMap((statement) => {
    if (!ts.isExportDeclaration(statement) || statement.moduleSpecifier === undefined) return [];
    const target = targetOf(path, statement.moduleSpecifier);
    if (target === null) return [];
    const { exportClause } = statement;
    if (exportClause !== undefined && ts.isNamedExports(exportClause)) {
      return exportClause.elements.map(({ name }) => getDeclared(sources, target, name.text));
    }
    return listDeclared(sources.read(target));
  });
}

/** The declaration that `name` means in `path`, through imports and re-exports; null for what is not ours. */
export function findDeclared(sources: Sources, path: string, name: string): Declared | null {
  const file = sources.read(path);
  const nodes = declarationsOf(file, name);
  if (nodes.length > 0) return { name, file, nodes };
  for (const statement of file.statements) {
    const names = namesOf(statement);
    const found = names?.elements.find((element) => element.name.text === name);
    if (found === undefined) continue;
    const target = targetOf(path, (statement as ts.ImportDeclaration | ts.ExportDeclaration).moduleSpecifier);
    return target === null ? null : findDeclared(sources, target, (found.propertyName ?? found.name).text);
  }
  return null;
}

function getDeclared(sources: Sources, path: string, name: string): Declared {
  const found = findDeclared(sources, path, name);
  if (found === null) throw new Error(`${path} does not declare ${name}`);
  return found;
}

function listDeclared(file: ts.SourceFile): readonly Declared[] {
  const names = new Set(file.statements.filter(isExported).flatMap((statement) => nameOf(statement) ?? []));
  return [...names].map((name) => ({ name, file, nodes: declarationsOf(file, name) }));
}

function declarationsOf(file: ts.SourceFile, name: string): readonly Declaration[] {
  return file.statements.filter((statement): statement is Declaration => nameOf(statement) === name);
}

function nameOf(statement: ts.Statement): string | null {
  if (ts.isVariableStatement(statement)) return statement.declarationList.declarations[0]!.name.getText();
  const named = ts.isFunctionDeclaration(statement) || isTypeDeclaration(statement) || ts.isClassDeclaration(statement);
  return named ? (statement.name?.text ?? null) : null;
}

function isExported(statement: ts.Statement): boolean {
  return (
    ts.canHaveModifiers(statement) &&
    (ts.getModifiers(statement) ?? []).some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)
  );
}

function namesOf(statement: ts.Statement): ts.NamedImports | ts.NamedExports | null {
  const clause = ts.isImportDeclaration(statement)
    ? statement.importClause?.namedBindings
    : ts.isExportDeclaration(statement)
      ? statement.exportClause
      : undefined;
  return clause !== undefined && (ts.isNamedImports(clause) || ts.isNamedExports(clause)) ? clause : null;
}

/** Null: a package. */
function targetOf(path: string, specifier: ts.Expression | undefined): string | null {
  if (specifier === undefined || !ts.isStringLiteral(specifier) || !specifier.text.startsWith(".")) return null;
  return join(dirname(path), specifier.text);
}
