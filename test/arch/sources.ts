/** Reads the sources for the tests of their rules. Paths are relative to the root of the clone. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import ts from 'typescript';

export interface Import {
  /** As written for packages, resolved to a path of the clone for our own files. */
  target: string;
  /** Nothing of it is left at run time. */
  typeOnly: boolean;
  /** `import()`: happens on demand, not when the file is loaded. */
  dynamic: boolean;
}

export function filesUnder(folder: string, extension: RegExp): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && extension.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !/(^|\/)(node_modules|build|dist|weights)\//.test(file))
    .sort();
}

export function parse(file: string): ts.SourceFile {
  return ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.ES2022, true);
}

export function importsOf(file: string): Import[] {
  const found: Import[] = [];
  const add = (specifier: ts.Expression | undefined, typeOnly: boolean, dynamic: boolean) => {
    if (specifier === undefined || !ts.isStringLiteral(specifier)) return;
    const { text } = specifier;
    const target = text.startsWith('.') ? posix.join(posix.dirname(file), text.replace(/\.js$/, '.ts')) : text;
    found.push({ target, typeOnly, dynamic });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, isTypeOnly(node), false);
    else if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, node.isTypeOnly, false);
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) add(node.arguments[0], false, true);
    ts.forEachChild(node, visit);
  };
  visit(parse(file));
  return found;
}

function isTypeOnly({ importClause: clause }: ts.ImportDeclaration): boolean {
  if (clause === undefined) return false;
  if (clause.isTypeOnly) return true;
  const { namedBindings: names } = clause;
  return clause.name === undefined && names !== undefined && ts.isNamedImports(names) && names.elements.length > 0 && names.elements.every((element) => element.isTypeOnly);
}

export interface FunctionLength {
  name: string;
  /** Without the lines of functions inside it. */
  lines: number;
}

export function functionLengths(file: string): FunctionLength[] {
  const source = parse(file);
  const lineOf = (position: number) => source.getLineAndCharacterOfPosition(position).line;
  const found: FunctionLength[] = [];
  const measure = (node: ts.Node): number => {
    // Lines that functions below this node take.
    let inner = 0;
    ts.forEachChild(node, (child) => {
      inner += measure(child);
    });
    if (!ts.isFunctionLike(node) || !('body' in node) || node.body === undefined) return inner;
    const lines = lineOf(node.end) - lineOf(node.getStart(source)) + 1;
    const name = 'name' in node && node.name !== undefined ? node.name.getText(source) : 'arrow';
    found.push({ name: `${name}:${lineOf(node.getStart(source)) + 1}`, lines: lines - inner });
    return Math.max(0, lines - 1); // the line it shares with its parent counts there
  };
  measure(source);
  return found;
}
