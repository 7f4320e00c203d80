/** One question, from the packed repository to the record of its answer. */
import type { Generated } from "../engine/engine.ts";
import { Failure } from "../failure/failure.ts";
import { encodeQuestion, openAnswer, type PromptModel } from "../prompt/index.ts";
import type { AskParams, AskRecord } from "../protocol/ask.ts";
import { answerRoom } from "./question-room.ts";
import { summarizeContext } from "./context-summary.ts";
import type { Conversations } from "./conversations.ts";
import type { LoadedEngine } from "./engine-pool.ts";
import { mapEvidence, spanEnds } from "./evidence-map.ts";
import { generateAnswer } from "./generate-answer.ts";
import { toRecord } from "./prefill-report.ts";
import type { RepositoryView } from "./repository-view.ts";
import type { Scheduler } from "./scheduler.ts";
import type { AskContext } from "./service.ts";
import type { Session } from "./session.ts";

export interface QuestionOptions {
  readonly session: Session;
  readonly view: RepositoryView;
  readonly loaded: LoadedEngine;
  readonly model: PromptModel;
  readonly contextTokens: number;
  readonly params: AskParams;
  readonly context: AskContext;
  /** performance.now() when the request came. */
  readonly arrivedAt: number;
  readonly scheduler: Scheduler;
  readonly conversations: Conversations;
}

export async function answerQuestion(options: QuestionOptions): Promise<AskRecord> {
  const { session, view, loaded, model, contextTokens, params, context, conversations } = options;
  const { signal, report } = context;
  const history = model.profile.history && params.conversation ? conversations.history(params.conversation) : [];
  const question = await encodeQuestion(model, params.question, history);
  const room = { contextTokens, questionTokens: question.length, maxTokens: params.maxTokens };
  answerRoom({ ...room, repositoryTokens: model.pieces.before.length }); // before the work, when it is hopeless

  const { pack, changes, basis } = await session.pack(view, signal, report);
  const maxTokens = answerRoom({ ...room, repositoryTokens: pack.tokens.length });
  const { prefix, prefillMs, cachedTokens } = await session.prefix(basis, loaded, signal, report);

  const reader = openAnswer({ model, pack, question: params.question, overlays: view.overlays, onText: context.piece });
  let firstTokenMs = 0;
  const onToken = (tokenId: number): void => {
    if (firstTokenMs === 0) firstTokenMs = performance.now() - options.arrivedAt;
    reader.push(tokenId);
  };
  let generated: Generated;
  try {
    const { temperature = 0, seed } = params;
    generated = await generateAnswer({
      loaded,
      scheduler: options.scheduler,
      prefix: prefix.kv,
      question,
      maxTokens,
      sampling: seed === undefined ? { temperature } : { temperature, seed },
      evidenceEnds: params.evidence ? spanEnds(pack) : new Uint32Array(),
      signal,
      report,
      onToken,
    });
  } finally {
    await prefix.leave();
  }
  if (generated.stopReason === "cancelled") throw new Failure("cancelled", "The request was cancelled.");
  const answer = await reader.finish();
  const memory = await loaded.engine.memory();
  if (model.profile.history && params.conversation) {
    conversations.add(params.conversation, { question: params.question, answer: answer.text });
  }
  return {
    answer: answer.text,
    citations: answer.citations,
    context: summarizeContext(pack, view, changes.length),
    timings: {
      promptTokens: pack.tokens.length + question.length,
      cachedTokens,
      prefillMs: tenths(prefillMs),
      firstTokenMs: tenths(firstTokenMs),
      tokensPerSecond: tenths(tokenRate(generated)),
    },
    peakMemoryBytes: memory.peakBytes,
    ...toRecord(prefix),
    ...(params.evidence ? { evidence: mapEvidence(pack, generated) } : {}),
    stopReason: generated.stopReason,
    model: loaded.modelDir,
  };
}

/** No clock here is better than that, and people read these numbers. */
function tenths(value: number): number {
  return Math.round(value * 10) / 10;
}

/** Tokens per second after the first one; 0 for answers of one token. */
function tokenRate({ tokenIds, decodeMs }: Generated): number {
  return tokenIds.length > 1 && decodeMs > 0 ? ((tokenIds.length - 1) / decodeMs) * 1000 : 0;
}
