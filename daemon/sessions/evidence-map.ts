/** The engine's shares of attention per span of tokens, as shares per file and range of lines. */
import type { Generated } from "../engine/engine.ts";
import type { PackedFile, PackedRepository } from "../prompt/index.ts";
import type { Evidence, EvidenceBlock, EvidenceFile } from "../protocol/evidence.ts";
import { limits } from "../protocol/limits.ts";

/** Where the spans end that the engine is asked about: the template's opening, then each file's blocks of lines. */
export function spanEnds({ files }: PackedRepository): Uint32Array {
  const [first] = files;
  return Uint32Array.from([first?.firstToken ?? 0, ...files.flatMap((file) => [...endsOf(file)])]);
}

/** An empty file has no block, and yet its header is no part of the next one. */
function endsOf({ blockEnds, firstToken, tokenCount }: PackedFile): Uint32Array {
  return blockEnds.length > 0 ? blockEnds : Uint32Array.of(firstToken + tokenCount);
}

/**
 * Null when the engine could not tell.
 *
 * @param generated with shares of the spans that `spanEnds` names
 */
export function mapEvidence(
  pack: PackedRepository,
  { evidence: shares, evidenceMass }: Pick<Generated, "evidence" | "evidenceMass">,
): Evidence | null {
  if (shares.length === 0) return null;
  const blocks: EvidenceBlock[] = [];
  const files: EvidenceFile[] = [];
  let at = 1;
  for (const file of pack.files) {
    const { path, lineCount } = file;
    let ofFile = 0;
    for (let block = 0; block < endsOf(file).length; block++) {
      const share = shares[at++] ?? 0;
      const line = block * pack.blockLines + 1;
      blocks.push({ path, line, endLine: Math.max(line, Math.min(lineCount, line + pack.blockLines - 1)), share });
      ofFile += share;
    }
    files.push({ path, share: ofFile });
  }
  return {
    blocks: largest(blocks, limits.maxEvidenceBlocks),
    files: largest(files, limits.maxEvidenceFiles),
    repositoryShare: round(evidenceMass),
  };
}

function largest<Entry extends { readonly share: number }>(entries: readonly Entry[], count: number): Entry[] {
  return entries
    .map((entry) => ({ ...entry, share: round(entry.share) }))
    .filter(({ share }) => share > 0)
    .sort((first, second) => second.share - first.share)
    .slice(0, count);
}

/** What is below a ten-thousandth is no evidence. */
function round(share: number): number {
  return Math.round(share * 10_000) / 10_000;
}
