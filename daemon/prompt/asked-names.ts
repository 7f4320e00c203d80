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

/**
 * The names that a question asks for, best first: those in quotes or backticks; else those that are spelled as only code is
 * (inner capitals, digits, underscores); else the words that are no usual part of a question.
 */
export function askedNames(question: string): string[] {
  const quoted = Array.from(question.matchAll(marked), (match) => match[1] ?? "").map(lastPart);
  if (quoted.length > 0) return quoted;
  const words = Array.from(question.matchAll(identifier), (match) => match[0]);
  const codeLike = words.filter((word) => /[a-z][A-Z]|[A-Za-z]\d|[_$]|^[A-Z][A-Z0-9]+$/.test(word));
  if (codeLike.length > 0) return codeLike;
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
