/** Questions that suggest themselves after an answer: about the name that was asked for and the file that was cited. */
import type { AskRecord } from "../../daemon/protocol/ask.ts";

const maxSuggestions = 3;
/** What a person spells as code: in backquotes or quotes, or with an inner capital, digit, underscore or dot. */
const spelled = /[`"']([\w$.-]{2,80})[`"']|\b([A-Za-z$][\w$]*[a-z\d][A-Z_\d$][\w$]*|[A-Za-z]+_\w+)\b/;

export function followUps(question: string, { citations }: AskRecord): readonly string[] {
  const [first] = citations;
  if (!first) return [];
  const name = askedName(question) ?? definedName(first.quote);
  const suggestions = [
    ...(name === null
      ? []
      : [`where is ${name} defined?`, `what is the signature of ${name}?`, `what does ${name} do?`]),
    `what is ${first.path} about?`,
  ];
  const asked = plain(question);
  return suggestions.filter((text) => plain(text) !== asked).slice(0, maxSuggestions);
}

function askedName(question: string): string | null {
  const [, quoted, bare] = spelled.exec(question) ?? [];
  return quoted ?? bare ?? null;
}

function definedName(line: string): string | null {
  const [, name] = /\b(?:function|class|interface|type|const|let|var|def|struct|enum|fn)\s+([\w$]+)/.exec(line) ?? [];
  return name ?? null;
}

function plain(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^\w$./-]+/g, " ")
    .trim();
}
