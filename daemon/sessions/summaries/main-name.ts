/** What a source file is mainly there for, by the look of its lines: the name to ask about when the file itself says nothing. */

/** Definitions at the left margin, in the usual languages; the first group is the name. */
const definitions: readonly RegExp[] = [
  /^export\s+(?:default\s+)?(?:declare\s+|abstract\s+|async\s+)*(?:function\s*\*?|class|const|interface|type|enum)\s+([A-Za-z_$][\w$]*)/,
  /^(?:async\s+)?def\s+([A-Za-z_]\w*)/,
  /^(?:public\s+|abstract\s+|final\s+|data\s+|sealed\s+)*(?:class|interface|struct|trait|enum|object)\s+([A-Za-z_]\w*)(?!.*;\s*$)/,
  /^(?:pub(?:\([^)]*\))?\s+)?(?:async\s+)?(?:fn|struct|enum|trait)\s+([A-Za-z_]\w*)/,
  /^func\s+(?:\([^)]*\)\s*)?([A-Za-z_]\w*)/,
  /^[A-Za-z_][\w:<>,*& ]*?[ *&]([A-Za-z_]\w*)\([^;]*$/,
  /^function\s*\*?\s*([A-Za-z_$][\w$]*)/,
];

/** One whose name has the file's name in it, else the first; null for a file without any. */
export function mainName(path: string, lines: readonly string[]): string | null {
  const stem = letters(path.slice(path.lastIndexOf("/") + 1).replace(/\..*$/, ""));
  const names = lines.flatMap((line) => {
    const found = definitions.map((pattern) => pattern.exec(line)?.[1]).find((name) => name !== undefined);
    return found === undefined ? [] : [found];
  });
  return names.find((name) => stem.length > 2 && letters(name).includes(stem)) ?? names[0] ?? null;
}

function letters(text: string): string {
  return text.toLowerCase().replace(/[^a-z0-9]/g, "");
}
