/** Text for Markdown: one line, with everything that Markdown or HTML would read escaped. */
export function markdownText(text: string): string {
  return text.replace(/\s+/g, " ").replace(/[\\`*_{}[\]<>()#!|&~+-]/g, "\\$&");
}
