import { Template } from "@huggingface/jinja";
import { Failure } from "../failure/failure.ts";
import { isJsonObject, parseModelJson, readModelFile, type JsonObject } from "./model-files.ts";

/** The constant pieces of a chat template, as token ids: before + repository + between + question + after. */
export interface TemplatePieces {
  readonly before: readonly number[];
  readonly between: readonly number[];
  readonly after: readonly number[];
}

/** An earlier question and its answer, as text. */
export interface Turn {
  readonly question: string;
  readonly answer: string;
}

interface Message {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}

const tokenizerConfigName = "tokenizer_config.json";
const templateName = "chat_template.jinja";

/** Letters in both cases, so that a template that changes either is found out. */
const sentinel = (index: number): string =>
  `LongsightContent${"ABCDEFGH".charAt(index >> 3)}${"abcdefgh".charAt(index & 7)}End`;

/**
 * Templates that write today's date would make yesterday's KV state worthless. The engine's own `strftime_now` cannot be
 * replaced by a variable, but a macro of that name hides it; the empty expression keeps a template's first line end.
 */
const noDate = `{%- macro strftime_now(format) -%}{%- endmacro %}{{ "" }}`;

/** Earlier turns that still have a sentinel of their own. */
export const maxTurns = 30;

/** A model's chat template, taken apart around what is filled in, so that each part has tokens of its own. */
export class ChatTemplate {
  readonly #modelDir: string;
  readonly #template: Template;
  readonly #variables: JsonObject;
  #systemRole = true;

  private constructor(modelDir: string, template: Template, variables: JsonObject) {
    this.#modelDir = modelDir;
    this.#template = template;
    this.#variables = variables;
  }

  /** @throws Failure `model-file-missing`, `model-file-invalid`, `model-unsupported` */
  static async load(modelDir: string): Promise<ChatTemplate> {
    const configText = await readModelFile(modelDir, tokenizerConfigName);
    const config = configText === null ? {} : parseModelJson(modelDir, tokenizerConfigName, configText);
    const source = (await readModelFile(modelDir, templateName)) ?? templateIn(config);
    if (source === null) {
      const message = `The model folder ${modelDir} has no chat template, neither in ${tokenizerConfigName} nor as ${templateName}.`;
      throw new Failure("model-file-missing", message);
    }
    let template: Template;
    try {
      template = new Template(noDate + source);
    } catch (cause) {
      throw new Failure("model-file-invalid", `The chat template in ${modelDir} cannot be read.`, { cause });
    }
    const chat = new ChatTemplate(modelDir, template, {
      bos_token: tokenText(config["bos_token"]),
      eos_token: tokenText(config["eos_token"]),
      enable_thinking: false,
    });
    chat.#probe();
    return chat;
  }

  /** The text before the repository, between it and the question, and after the question. */
  pieces(): [before: string, between: string, after: string] {
    const [before, between, after] = this.#split([]);
    if (before === undefined || between === undefined || after === undefined) throw this.#unsupported();
    return [before, between, after];
  }

  /**
   * With earlier turns: the texts between repository, question, answer, question, answer, ..., question, and the last one;
   * null when the template renders earlier turns in a way that cannot be taken apart.
   */
  piecesWithTurns(turnCount: number): string[] | null {
    try {
      const contents = Array.from({ length: turnCount * 2 }, (_, index) => sentinel(index + 2));
      return this.#split(contents).slice(1);
    } catch (error) {
      if (error instanceof Failure) return null;
      throw error;
    }
  }

  /** Finds out whether the template takes a system message; some refuse it by raising an exception. */
  #probe(): void {
    try {
      this.#split([]);
    } catch {
      this.#systemRole = false;
      this.#split([]);
    }
  }

  #split(turns: readonly string[]): string[] {
    const repository = sentinel(0);
    const question = sentinel(1);
    const messages: Message[] = this.#systemRole ? [{ role: "system", content: repository }] : [];
    const contents = [...turns, question];
    for (const [index, content] of contents.entries()) {
      const prefix = index === 0 && !this.#systemRole ? `${repository}\n\n` : "";
      messages.push({ role: index % 2 === 0 ? "user" : "assistant", content: prefix + content });
    }
    const rendered = this.#render(messages);
    const pieces: string[] = [];
    let start = 0;
    for (const mark of [repository, ...contents]) {
      const at = rendered.indexOf(mark, start);
      if (at === -1 || rendered.indexOf(mark, at + 1) !== -1) throw this.#unsupported();
      pieces.push(rendered.slice(start, at));
      start = at + mark.length;
    }
    return [...pieces, rendered.slice(start)];
  }

  #render(messages: readonly Message[]): string {
    try {
      return this.#template.render({ ...this.#variables, messages, add_generation_prompt: true });
    } catch (cause) {
      throw this.#unsupported(cause);
    }
  }

  #unsupported(cause?: unknown): Failure {
    const message = `The chat template in ${this.#modelDir} does not render a system or user message as it is.`;
    return new Failure("model-unsupported", message, { cause });
  }
}

/** A string, or a list of named templates of which "default" is the one for chats. */
function templateIn(config: JsonObject): string | null {
  const entry = config["chat_template"];
  if (typeof entry === "string") return entry;
  if (!Array.isArray(entry)) return null;
  const named = entry.filter(isJsonObject).find((template) => template["name"] === "default");
  return typeof named?.["template"] === "string" ? named["template"] : null;
}

/** A token is written as a string, or as an object with its `content`. */
function tokenText(entry: unknown): string {
  if (typeof entry === "string") return entry;
  return isJsonObject(entry) && typeof entry["content"] === "string" ? entry["content"] : "";
}
