/** The routing table: one entry per request, params checked, then handed to the service. */
import { Failure } from "../failure/failure.ts";
import type {
  AskParams,
  CacheParams,
  ExecuteCommandParams,
  OpenParams,
  ProgressRecord,
  ProgressToken,
  SummarizeParams,
  SummaryPiece,
  Target,
} from "../protocol/index.ts";
import {
  askRequest,
  cacheRequest,
  changesRequest,
  commands,
  contextRequest,
  limits,
  modelsRequest,
  openRequest,
  prefillModes,
  statusRequest,
  summarizeRequest,
} from "../protocol/index.ts";
import type { LongsightService, ResolvedTarget } from "../sessions/service.ts";
import { ParamsReader } from "./check-params.ts";

/** What a handler gets beside its params. */
export interface Call {
  readonly service: LongsightService;
  readonly signal: AbortSignal;
  /** The repository that `initialize` named. */
  readonly rootPath: string | undefined;
  /** What the client's editor holds open: absolute path to text. */
  readonly documents: ReadonlyMap<string, string>;
  /** Makes progress visible; ended by the connection when the handler has settled. */
  progress(token: ProgressToken | undefined, title: string): (record: ProgressRecord) => void;
  pieces(token: ProgressToken | undefined): (text: string) => void;
  nodes(token: ProgressToken | undefined): (piece: SummaryPiece) => void;
}

type Handler = (params: unknown, call: Call) => Promise<unknown>;

export const routes: ReadonlyMap<string, Handler> = new Map<string, Handler>([
  [
    askRequest.method,
    (params, call) => {
      const ask = readAsk(params);
      const report = call.progress(ask.workDoneToken, "Longsight");
      const { signal, documents } = call;
      return call.service.ask(
        { ...ask, ...resolve(ask, call) },
        { signal, report, documents, piece: call.pieces(ask.partialResultToken) },
      );
    },
  ],
  [
    openRequest.method,
    (params, call) => {
      const open = readOpen(params);
      const report = call.progress(open.workDoneToken, "Longsight: reading the repository");
      const { signal, documents } = call;
      return call.service.open(resolve(open, call), { signal, report, documents });
    },
  ],
  [
    contextRequest.method,
    (params, call) => {
      const asked = readOpen(params);
      const report = call.progress(asked.workDoneToken, "Longsight: listing the context");
      const { signal, documents } = call;
      return call.service.context(resolve(asked, call), { signal, report, documents });
    },
  ],
  [
    changesRequest.method,
    (params, call) => {
      const { signal, documents } = call;
      const target = resolve(readTarget(new ParamsReader(params)), call);
      return call.service.changes(target, { signal, documents, report: () => undefined });
    },
  ],
  [
    summarizeRequest.method,
    (params, call) => {
      const asked = readSummarize(params);
      const report = call.progress(asked.workDoneToken, "Longsight: summarizing");
      const { signal, documents } = call;
      const onNode = call.nodes(asked.partialResultToken);
      return call.service.summarize({ ...asked, ...resolve(asked, call) }, { signal, report, documents, onNode });
    },
  ],
  [statusRequest.method, (_params, call) => call.service.status()],
  [modelsRequest.method, (_params, call) => call.service.models()],
  [cacheRequest.method, (params, call) => call.service.cache(readCache(params))],
]);

/** The method and params that a command mirrors. Throws `invalid-argument` for an unknown command. */
export function readCommand(params: unknown): { method: string; params: unknown } {
  const { command, arguments: args, workDoneToken } = readExecuteCommand(params);
  const method: unknown = Object.hasOwn(commands, command) ? Reflect.get(commands, command) : undefined;
  if (typeof method !== "string") {
    const known = Object.keys(commands).join(", ");
    throw new Failure("invalid-argument", `The command ${JSON.stringify(command)} is unknown; there are ${known}.`);
  }
  const first = args?.[0];
  const fields = typeof first === "object" && first !== null ? first : {};
  return { method, params: workDoneToken === undefined ? fields : { workDoneToken, ...fields } };
}

function readExecuteCommand(params: unknown): ExecuteCommandParams {
  const reader = new ParamsReader(params);
  const args = reader.raw("arguments");
  const workDoneToken = reader.token("workDoneToken");
  return {
    command: reader.text("command", 128) ?? "",
    ...(Array.isArray(args) ? { arguments: args } : {}),
    ...(workDoneToken === undefined ? {} : { workDoneToken }),
  };
}

function readTarget(reader: ParamsReader): Target {
  return defined({
    repository: reader.absolutePath("repository"),
    model: reader.absolutePath("model"),
    contextTokens: reader.integer("contextTokens", 256, 16_777_216),
    prefill: reader.choice("prefill", prefillModes),
    patterns: reader.absolutePath("patterns"),
    recallFloor: reader.number("recallFloor", 0, 1),
    exclude: reader.relativePaths("exclude", limits.maxFileChoices),
    include: reader.relativePaths("include", limits.maxFileChoices),
  });
}

function readOpen(params: unknown): OpenParams {
  const reader = new ParamsReader(params);
  return { ...readTarget(reader), ...defined({ workDoneToken: reader.token("workDoneToken") }) };
}

function readAsk(params: unknown): AskParams {
  const reader = new ParamsReader(params);
  const question = reader.text("question", limits.maxQuestionLength)?.trim();
  if (!question) throw new Failure("invalid-argument", '"question" is empty.');
  return {
    question,
    ...readTarget(reader),
    ...defined({
      maxTokens: reader.integer("maxTokens", 1, limits.maxAnswerTokens),
      temperature: reader.number("temperature", 0, 10),
      seed: reader.integer("seed", 0, 2 ** 31 - 1),
      conversation: reader.text("conversation", 256),
      evidence: reader.flag("evidence"),
      workDoneToken: reader.token("workDoneToken"),
      partialResultToken: reader.token("partialResultToken"),
    }),
  };
}

function readSummarize(params: unknown): SummarizeParams {
  const reader = new ParamsReader(params);
  return {
    ...readTarget(reader),
    ...defined({
      path: reader.relativePath("path"),
      keptOnly: reader.flag("keptOnly"),
      again: reader.flag("again"),
      workDoneToken: reader.token("workDoneToken"),
      partialResultToken: reader.token("partialResultToken"),
    }),
  };
}

function readCache(params: unknown): CacheParams {
  return defined({ release: new ParamsReader(params).flag("release") });
}

function resolve(target: Target, call: Call): ResolvedTarget {
  const repository = target.repository ?? call.rootPath;
  if (repository === undefined) {
    throw new Failure("invalid-argument", '"repository" is missing, and `initialize` named no root.');
  }
  return { ...target, repository };
}

/** The fields that have a value. */
type Defined<Fields> = { [Name in keyof Fields]?: Exclude<Fields[Name], undefined> };

function defined<Fields extends object>(fields: Fields): Defined<Fields> {
  const kept: Defined<Fields> = {};
  for (const name in fields) {
    const value = fields[name];
    if (isPresent(value)) kept[name] = value;
  }
  return kept;
}

function isPresent<Value>(value: Value): value is Exclude<Value, undefined> {
  return value !== undefined;
}
