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
  new RegExp(String.raw`^(?:inline|static|template<[^>]*>)\s[^=;]*?\b${name}\([^;]*\)[^;]*\{$`),
];
const typeScript = [
  ...javaScript,
  new RegExp(String.raw`^(?:export\s+)?(?:interface|type|enum)\s+${name}`),
  new RegExp(String.raw`^(?:export\s+)?const\s+${name}\s*:`),
];
const patterns: Readonly<Record<string, readonly RegExp[]>> = { js: javaScript, ts: typeScript, h: cpp, cpp };
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

/** Those whose name is defined on one line only, so that the question has one right answer. */
export function definedOnce(definitions: readonly Definition[]): Definition[] {
  const counts = new Map<string, number>();
  for (const definition of definitions) counts.set(definition.name, (counts.get(definition.name) ?? 0) + 1);
  return definitions.filter((definition) => counts.get(definition.name) === 1);
}
