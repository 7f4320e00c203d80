/** A question about selected code: about its name where it has one, so that also a small model can answer. */
export function questionAbout(selected: string): string | null {
  const text = selected.trim();
  if (text === "") return null;
  if (/^[\w$]{2,80}$/.test(text)) return `what does ${text} do?`;
  const [, name] =
    /\b(?:function\*?|class|interface|type|enum|struct|trait|def|fn|func|const|let|var)\s+([\w$]{2,80})/.exec(text) ??
    [];
  return name === undefined ? `explain this code:\n${text}` : `what does ${name} do?`;
}
