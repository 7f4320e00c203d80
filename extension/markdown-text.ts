/** Text for Markdown: one line, with everything that Markdown or HTML would read escaped. */
export function markdownText(text: string): string {
  return text.replace(/\s+/g, " ").replace(/[\\`*_{}[\]<>()#!|&~+-]/g, "\\$&");
}

/** A code block: files are quoted in it, so its fence is one that no run of backquotes in them can close. */
export function codeBlock(text: string, language: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = "`".repeat(longest + 1);
  return `${fence}${language}\n${text}\n${fence}`;
}
