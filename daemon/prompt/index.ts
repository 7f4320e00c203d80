/** From a scanned repository to token ids, and from generated ids to an answer with checked citations. */
export { openAnswer, type AnswerOptions, type AnswerReader, type Citation, type ResolvedAnswer } from "./answer.ts";
export { CitationChecker } from "./citation-checker.ts";
export { commonPrefixLength } from "./common-prefix.ts";
export { packRepository, type PackOptions, type PackProgress } from "./pack.ts";
export type { PackedFile, PackedRepository } from "./packed-repository.ts";
export { toPlainText } from "./plain-text.ts";
export type { Dialect, PromptProfile } from "./profile.ts";
export { loadPromptModel, type PromptModel } from "./prompt-model.ts";
export { encodeQuestion } from "./question.ts";
export type { Turn } from "./template.ts";
export { TokenCache, type TokenCacheOptions } from "./token-cache.ts";
