import { Failure } from "../failure/failure.ts";
import type { PromptModel } from "./prompt-model.ts";
import { maxTurns, type Turn } from "./template.ts";

/**
 * What follows the packed repository: earlier turns (when the model takes them), the question, the call to answer.
 *
 * @throws Failure `invalid-argument` for an empty question
 */
export async function encodeQuestion(
  model: PromptModel,
  question: string,
  history: readonly Turn[] = [],
): Promise<Uint32Array> {
  const { tokenizer, pieces, profile, template } = model;
  if (question.trim() === "") throw new Failure("invalid-argument", "The question is empty.");
  const turns = profile.history ? history.slice(-maxTurns) : [];
  const withTurns = turns.length > 0 ? template.piecesWithTurns(turns.length) : null;
  if (withTurns === null) {
    const [ids = new Uint32Array()] = await tokenizer.encodeContents([question.trim()]);
    return Uint32Array.from([...pieces.between, ...ids, ...pieces.after]);
  }
  const contents = [...turns.flatMap((turn) => [turn.question, turn.answer]), question].map((text) => text.trim());
  const pieceIds = await Promise.all(withTurns.map((piece) => tokenizer.encodeTemplate(piece)));
  const contentIds = await tokenizer.encodeContents(contents);
  return Uint32Array.from(pieceIds.flatMap((ids, index) => [...ids, ...(contentIds[index] ?? [])]));
}
