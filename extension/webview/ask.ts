/** The page of the Ask view. It draws what the extension sends and tells it which button was pressed. */
import { answerFigures, unreadText } from "../ask/answer-line.ts";
import type { ContextLine, ToExtension, ToPage } from "../ask/messages.ts";
import { answerText, citationsOf, type Turn } from "../ask/turn.ts";
import { count, plural, progressShare, progressText, shortCount } from "../figures.ts";
import { answerView } from "./answer-view.ts";
import { budgetMeter, button, element, icon, progressBar } from "./dom.ts";
import "./editor-api.ts";

interface PageState {
  readonly draft: string;
}

const editor = acquireVsCodeApi<ToExtension, PageState>();
const contextBox = element("section", { class: "context", label: "Context" });
const log = element("section", { class: "log", label: "Conversation" });
/** For screen readers: an answer is said once, when it is complete. */
const said = element("div", { class: "said", role: "status" });
const input = document.createElement("textarea");
const send = button("Ask", "primary", () => {
  if (isRunning()) editor.postMessage({ kind: "stop" });
  else ask(input.value);
});
const turns = new Map<number, { turn: Turn; view: HTMLElement }>();
let context: ContextLine | null = null;
/** What `drawContext` and `drawWelcome` drew last. */
let drawn = "";
/** Whether the end of the conversation is in sight. */
let atEnd = true;
let lastTop = 0;

input.rows = 1;
input.placeholder = "Ask the repository";
input.setAttribute("aria-label", "Question");
input.value = editor.getState()?.draft ?? "";
input.addEventListener("input", () => {
  editor.setState({ draft: input.value });
  drawSend();
});
input.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    if (!isRunning()) ask(input.value);
  }
  if (event.key === "Escape" && isRunning()) editor.postMessage({ kind: "stop" });
});

document
  .querySelector("main")
  ?.append(contextBox, log, element("form", { class: "question", label: "Ask" }, input, send), said);

function isRunning(): boolean {
  return [...turns.values()].some(({ turn }) => turn.state.kind === "running");
}

function ask(question: string): void {
  if (question.trim() === "") return;
  editor.postMessage({ kind: "ask", question });
  setDraft("");
}

function setDraft(question: string): void {
  input.value = question;
  editor.setState({ draft: question });
  drawSend();
}

function drawSend(): void {
  const running = isRunning();
  send.textContent = running ? "Stop" : "Ask";
  send.title = running ? "Stop (Escape)" : "Ask (Enter)";
  send.disabled = !running && input.value.trim() === "";
}

function readState({ usedTokens, heldTokens, changed }: ContextLine): string {
  if (changed > 0) return `${plural(changed, "file")} changed since it was read`;
  if (heldTokens === 0) return "Not read yet";
  return heldTokens < usedTokens ? `${shortCount(heldTokens)} tokens read` : "Read";
}

/** The budget, what is in and out, and what has to be read: one look before a question. */
function drawContext(): void {
  contextBox.replaceChildren();
  contextBox.hidden = context === null;
  if (context === null) return;
  const { usedTokens, repositoryTokens, heldTokens, files, leftOut, changed, reading } = context;
  const meter = budgetMeter(usedTokens, repositoryTokens);
  const short = `${shortCount(usedTokens)} of ${shortCount(repositoryTokens)} tokens · ${plural(files, "file")}`;
  contextBox.append(
    meter,
    element(
      "div",
      { class: "row" },
      element("span", { title: meter.title }, short),
      button("Map", "link", () => editor.postMessage({ kind: "show-map" }), "Show Context Map"),
    ),
  );
  if (reading) {
    const stop = button("Stop", "link", () => editor.postMessage({ kind: "stop-reading" }), "Stop Reading");
    contextBox.append(progressView(reading.text, reading.share, stop));
    return;
  }
  const row = element("div", { class: "row" });
  // While a question runs, its own progress tells what is read.
  const state = isRunning() ? "" : readState(context);
  if (state !== "") row.append(element("span", changed > 0 ? { class: "stale" } : {}, state));
  if (state !== "" && leftOut > 0) row.append(element("span", {}, "·"));
  if (leftOut > 0) {
    const show = (): void => editor.postMessage({ kind: "show-context" });
    const title = "Show in Context what was left out, and why";
    row.append(button(`${count(leftOut)} left out`, "link quiet", show, title));
  }
  if (!isRunning() && (changed > 0 || heldTokens < usedTokens)) {
    const title = changed > 0 ? "Read what follows the first change" : "Read the repository now";
    row.append(button(changed > 0 ? "Refresh" : "Read", "link", () => editor.postMessage({ kind: "read" }), title));
  }
  contextBox.append(row);
}

function progressView(text: string, share: number | null, stop: HTMLElement | null): HTMLElement {
  return element(
    "div",
    { class: "progress" },
    progressBar(text, share),
    element("div", { class: "row" }, element("span", {}, text), stop),
  );
}

/** A new question is in sight; what comes in is followed while its end is looked at. */
function keepAtEnd(): void {
  if (atEnd) log.scrollTop = log.scrollHeight;
}

function drawTurn(turn: Turn): void {
  const known = turns.get(turn.id);
  const heading = element("div", { class: "row" }, element("h3", {}, turn.question));
  if (turn.state.kind !== "running") {
    const copy = button("", "tool", () => editor.postMessage({ kind: "copy", turn: turn.id }), "Copy as Markdown");
    copy.append(icon("copy"));
    heading.append(copy);
  }
  const view = element("article", { class: "turn" }, heading, ...turnBody(turn));
  if (known) known.view.replaceWith(view);
  else log.append(view);
  turns.set(turn.id, { turn, view });
  log.querySelector(".welcome")?.remove();
  if (!known) atEnd = true;
  keepAtEnd();
  if (known?.turn.state.kind === "running" && turn.state.kind === "answered") said.textContent = answerText(turn);
}

function turnBody(turn: Turn): readonly Node[] {
  const { id, state } = turn;
  const text = answerText(turn);
  const answer =
    text === ""
      ? []
      : [
          element(
            "div",
            { class: "answer" },
            ...answerView(text, citationsOf(turn), (citation) =>
              editor.postMessage({ kind: "open", turn: id, citation }),
            ),
          ),
        ];
  switch (state.kind) {
    case "running": {
      const { progress } = state;
      const label = progress ? progressText(progress) : text === "" ? "Starting" : "Answering";
      return [...answer, progressView(label, progress && progressShare(progress), null)];
    }
    case "stopped":
      return [...answer, element("p", { class: "note" }, text === "" ? "Stopped." : "Stopped: the answer ends here.")];
    case "failed":
      return [
        ...answer,
        element(
          "div",
          { class: "failure", role: "alert" },
          element("p", {}, state.failure.message),
          state.failure.next === "" ? null : element("p", { class: "note" }, state.failure.next),
          button("Show Log", "link", () => editor.postMessage({ kind: "show-log" })),
        ),
      ];
    case "answered": {
      const unread = unreadText(state.unreadFiles);
      return [
        ...answer,
        ...(unread === "" ? [] : [element("p", { class: "note" }, unread)]),
        element("div", { class: "figures note" }, ...figuresView(answerFigures(state.record))),
        element(
          "div",
          { class: "chips", label: "Follow-up questions" },
          ...state.followUps.map((question) => button(question, "chip", () => ask(question))),
        ),
      ];
    }
  }
}

/** Breaks between two figures, never within one. */
function figuresView(figures: readonly string[]): readonly (Node | string)[] {
  return figures.flatMap((text) => [element("span", {}, text), " "]);
}

function drawWelcome(): void {
  const blank = (question: string): HTMLElement =>
    button(question, "chip", () => {
      setDraft(question);
      const at = question.indexOf("…");
      input.focus();
      input.setSelectionRange(at, at + 1);
    });
  const file = context?.exampleFile ?? null;
  const about = `what is ${file ?? "…"} about?`;
  log.querySelector(".welcome")?.remove();
  log.append(
    element(
      "div",
      { class: "welcome" },
      element(
        "p",
        {},
        "The model on this machine reads the whole repository once. Then every question is answered at once.",
      ),
      element(
        "div",
        { class: "chips", label: "Examples" },
        blank("where is … defined?"),
        blank("what is the signature of …?"),
        file === null
          ? blank(about)
          : button(about, "chip", () => {
              ask(about);
            }),
      ),
    ),
  );
}

window.addEventListener("message", ({ data }: MessageEvent<ToPage>) => {
  switch (data.kind) {
    case "conversation":
      turns.clear();
      drawn = "";
      log.replaceChildren();
      context = data.context;
      for (const turn of data.turns) drawTurn(turn);
      break;
    case "turn":
      drawTurn(data.turn);
      break;
    case "context":
      context = data.context;
      break;
    case "draft":
      if (data.question !== "") setDraft(data.question);
      input.focus();
      break;
  }
  drawSend();
  // Only what changed, or a button would lose its focus.
  const shown = JSON.stringify([context, isRunning(), turns.size]);
  if (shown === drawn) return;
  drawn = shown;
  if (turns.size === 0) drawWelcome();
  drawContext();
});

log.addEventListener("scroll", () => {
  if (log.scrollHeight - log.scrollTop - log.clientHeight < 40) atEnd = true;
  else if (log.scrollTop < lastTop) atEnd = false; // by a person: a view that shrinks leaves it as it was
  lastTop = log.scrollTop;
});
new ResizeObserver(keepAtEnd).observe(log);
drawSend();
editor.postMessage({ kind: "ready" });
