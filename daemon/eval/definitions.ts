/** The judge's own view of what a source file defines: definition lines by pattern, names that one line alone defines. */

export interface Definition {
  readonly name: string;
  readonly path: string;
  /** From 1. */
  readonly line: number;
  readonly text: string;
}

const name = String.raw`([A-Za-z_$][\w$]{3,})`;
const javaScript = [
  new RegExp(String.raw`^\s*(?:export\s+)?(?:default\s+)?(?:async\s+)?function\s*\*?\s+${name}\s*\(`),
  new RegExp(String.raw`^\s*(?:export\s+)?(?:default\s+)?class\s+${name}`),
  new RegExp(String.raw`^(?:export\s+)?const\s+${name}\s*=`),
  new RegExp(String.raw`^\s+(?:static\s+|async\s+)*${name}\s*\([^;()]*\)\s*\{$`),
];
const cpp = [
  new RegExp(String.raw`^\s*#\s*define\s+${name}`),
  new RegExp(String.raw`^\s*(?:class|struct|enum)\s+${name}\b[^;]*$`),
  new RegExp(String.raw`^(?:inline|static|template<[^>]*>)\s(?!.*\boperator\b)[^=;]*?\b${name}\([^;]*\)[^;]*\{$`),
];
const typeScript = [
  ...javaScript,
  new RegExp(String.raw`^(?:export\s+)?(?:interface|type|enum)\s+${name}`),
  new RegExp(String.raw`^(?:export\s+)?const\s+${name}\s*:`),
];
const patterns: Readonly<Record<string, readonly RegExp[]>> = { js: javaScript, ts: typeScript, h: cpp, cpp };
/** A C++ function's type, name and first parenthesis, whether a body follows or not. */
const cppDeclaration = new RegExp(String.raw`^\s*(?!return\b|else\b|throw\b|new\b)(?:[\w:<>,*&~]+\s+)+[*&]*${name}\(`);
/** Words that a pattern can take for a name. */
const notNames = new Set([
  "constructor",
  "function",
  "switch",
  "while",
  "catch",
  "return",
  "super",
  "typeof",
  "require",
]);

export function findDefinitions(path: string, text: string): Definition[] {
  const found: Definition[] = [];
  const language = patterns[path.slice(path.lastIndexOf(".") + 1)] ?? [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const match = language.map((pattern) => pattern.exec(line)).find((result) => result !== null);
    const defined = match?.[1];
    if (defined !== undefined && !notNames.has(defined) && line.length < 200) {
      found.push({ name: defined, path, line: index + 1, text: line });
    }
  }
  return found;
}

/** The lines that declare a function which is defined elsewhere: for "where is it declared?" they are right too. */
function findDeclarations(path: string, text: string): Omit<Definition, "text">[] {
  if (!/\.(?:h|cpp)$/.test(path)) return [];
  return text.split(/\r?\n/).flatMap((line, index) => {
    const declared = cppDeclaration.exec(line)?.[1];
    return declared === undefined ? [] : [{ name: declared, path, line: index + 1 }];
  });
}

/** Definitions whose name one line alone defines or declares, so that the question has one right answer. */
export function definedOnce(files: readonly { readonly path: string; readonly text: string }[]): Definition[] {
  const places = new Map<string, Set<string>>();
  const definitions = files.flatMap(({ path, text }) => findDefinitions(path, text));
  const declarations = files.flatMap(({ path, text }) => findDeclarations(path, text));
  for (const { name: defined, path, line } of [...definitions, ...declarations]) {
    places.set(defined, (places.get(defined) ?? new Set()).add(`${path}:${String(line)}`));
  }
  return definitions.filter((definition) => places.get(definition.name)?.size === 1);
}
