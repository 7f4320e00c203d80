/** The names in a file, by their hashes: what other files may ask of it, and what it asks of others. */
export interface FileNames {
  /** Each once, in no order. */
  readonly defined: Uint32Array;
  /** Each once, in no order; those that are defined among them. */
  readonly mentioned: Uint32Array;
}

/**
 * No language is parsed: a definition is a name behind a keyword that many languages share, or before the parenthesis of a
 * line that opens a body. What is taken for one by mistake is seldom mentioned elsewhere, or stands in many files, and
 * neither counts (worth.ts).
 */
export function namesIn(text: string): FileNames {
  const defined = new Set<number>();
  for (const pattern of definitions) {
    for (const [, name] of text.matchAll(pattern))
      if (name !== undefined && !notNames.has(name)) defined.add(hash(name));
  }
  const mentioned = new Set<number>();
  for (const [name] of text.matchAll(/[A-Za-z_$][\w$]{3,}/g)) mentioned.add(hash(name));
  return { defined: Uint32Array.from(defined), mentioned: Uint32Array.from(mentioned) };
}

const name = String.raw`([A-Za-z_$][\w$]{3,})`;
const modifiers = String.raw`(?:(?:export|default|pub(?:\([a-z ]+\))?|public|private|protected|internal|static|abstract|final|async|declare|inline|unsafe|extern|open|override|virtual|constexpr|sealed|partial|data|suspend)[ \t]+)*`;
const definitions: readonly RegExp[] = [
  new RegExp(
    String.raw`^[ \t]*${modifiers}(?:class|struct|enum(?:[ \t]+class)?|union|interface|trait|protocol|record|type|typedef|namespace|module|function(?:[ \t]*\*)?|def|fn|fun|func(?:[ \t]*\([^)\n]*\))?|sub|proc|macro|#[ \t]*define)[ \t]+${name}`,
    "gm",
  ),
  // Indented, they are a function's own; of lower case alone, a script's, and a word like any other.
  new RegExp(String.raw`^${modifiers}(?:const|let|var|val)[ \t]+(?=[a-z]*[A-Z0-9_$])${name}`, "gm"),
  new RegExp(String.raw`\b(?:exports|prototype)\.${name}[ \t]*=`, "g"),
  // A method with its body, or a function at the start of a line, whose body may begin in the next.
  new RegExp(String.raw`^[ \t]+(?:[@\w:<>,*&~\[\]?]+[ \t]+){0,4}[*&]?${name}[ \t]*\([^;\n]*\{[ \t]*$`, "gm"),
  new RegExp(String.raw`^(?:[@\w:<>,*&~\[\]?]+[ \t]+){0,4}[*&]?${name}[ \t]*\((?:[^;\n]*\{|[^;{\n]*)[ \t]*$`, "gm"),
];

const notNames = new Set([
  "constructor",
  "function",
  "func",
  "switch",
  "while",
  "catch",
  "return",
  "super",
  "typeof",
  "require",
]);

/** FNV-1a over UTF-16 units, 32 bits. Two names of one hash are one name: a rare loss, and no harm. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  return value >>> 0;
}
