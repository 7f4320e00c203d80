/** Words of questions about code that name nothing in it. */
const questionWords = new Set(
  (
    "where what which who how when why does did can could would should will shall may might must have has had are was were " +
    "been being the this that these those there here and for from into with without about its their our your defined define " +
    "defines definition declared declare declares declaration implemented implementation function class method constant variable " +
    "type interface module file files line lines signature quote show tell give find say says comment documentation doc docs " +
    "docstring explain describe purpose used use usage uses call called caller return returns take takes parameter parameters " +
    "argument arguments code repository repo project source get gets got not any all one exactly please look"
  ).split(" "),
);

const marked = /[`"'\u201C\u2018]([A-Za-z_$][\w$.:-]*)(?:\(\))?[`"'\u201D\u2019]/g;
const identifier = /[A-Za-z_$][\w$]*/g;
/** "where is Linter defined?": a name, however it is spelled; not "the parser". */
const defined =
  /\b(?:is|are|function|class|method|constant|variable|type|interface|module)\s+([A-Za-z_$][\w$]*)\s+(?:defined|declared|implemented)\b/gi;
const codeLike = /[a-z][A-Z]|[A-Za-z]\d|[_$]|^[A-Z][A-Z0-9]+$/;

/**
 * The names that a question spells as code: those in quotes or backticks; else those with inner capitals, digits or
 * underscores, and what the question asks the definition of. One without any may still ask for a name; see askedNames.
 */
export function codeNames(question: string): string[] {
  const quoted = Array.from(question.matchAll(marked), (match) => match[1] ?? "").map(lastPart);
  if (quoted.length > 0) return quoted.filter((name) => name.length > 2);
  const asked = new Set(Array.from(question.matchAll(defined), (match) => match[1] ?? ""));
  const words = Array.from(question.matchAll(identifier), (match) => match[0]);
  return words.filter(
    (word) => word.length > 2 && (codeLike.test(word) || (asked.has(word) && !questionWords.has(word.toLowerCase()))),
  );
}

/** The names that a question asks for: those spelled as code, else the words that are no usual part of a question. */
export function askedNames(question: string): string[] {
  const names = codeNames(question);
  if (names.length > 0) return names;
  const words = Array.from(question.matchAll(identifier), (match) => match[0]);
  return words.filter((word) => word.length > 2 && !questionWords.has(word.toLowerCase()));
}

/** Whether a line holds a name as a whole word. */
export function holdsName(line: string, name: string): boolean {
  for (let at = line.indexOf(name); at !== -1; at = line.indexOf(name, at + 1)) {
    const [before, after] = [line.charAt(at - 1), line.charAt(at + name.length)];
    if (!/[\w$]/.test(before) && !/[\w$]/.test(after)) return true;
  }
  return false;
}

/** "Session.open" and "ns::open" are defined on a line that says "open". */
function lastPart(name: string): string {
  return name.split(/[.:]+/).at(-1) ?? name;
}
