/** What a chat model is told ahead of the repository; dialect `text-anchors` only. */
export const textInstructions = `You answer questions about the repository below. Use nothing but its text.
Each file opens with a line "=== [file number] path ===". A line "[file number:line number]" tells the number of the line after it.
After each statement cite where it stands, as [file number:line number], and quote the decisive line in backticks before the citation.
If the repository does not hold the answer, say that it is not there.

`;
