/** The lines of a text without their ends; a last line without an end counts, an end at the very end opens no new line. */
export function splitLines(text: string): string[] {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

/** A text in blocks of `blockLines` lines, each line ended by "\n": block b holds the lines b * blockLines + 1 and on. */
export function splitBlocks(text: string, blockLines: number): string[] {
  const lines = splitLines(text);
  const blocks: string[] = [];
  for (let start = 0; start < lines.length; start += blockLines) {
    blocks.push(`${lines.slice(start, start + blockLines).join("\n")}\n`);
  }
  return blocks;
}
