/** The page of the Ask view. It draws what the extension sends and tells it which button was pressed. */
import { answerLine, unreadText } from "../ask/answer-line.ts";
import type { ContextLine, ToExtension, ToPage } from "../ask/messages.ts";
import { answerText, citationsOf, type Turn } from "../ask/turn.ts";
import { count, percent, plural, progressShare, progressText } from "../figures.ts";
import { answerView } from "./answer-view.ts";
import { button, element, progressBar } from "./dom.ts";
import "./editor-api.ts";

interface PageState {
  readonly draft: string;
}

const editor = acquireVsCodeApi<ToExtension, PageState>();
const examples = ["where is … defined?", "what is the signature of …?", "what is … about?"];

const contextBox = element("section", { class: "context", label: "Context" });
const log = element("section", { class: "log", role: "log", label: "Conversation" });
const input = document.createElement("textarea");
const send = button("Ask", "primary", () => {
  if (isRunning()) editor.postMessage({ kind: "stop" });
  else ask(input.value);
});
const turns = new Map<number, { turn: Turn; view: HTMLElement }>();
let context: ContextLine | null = null;

input.rows = 2;
input.placeholder = "Ask about the whole repository";
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
  ?.append(contextBox, log, element("form", { class: "question", label: "Ask" }, input, send));

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
  send.disabled = !running && input.value.trim() === "";
}

/** The budget, what is in and out, and what has to be read: one look before a question. */
function drawContext(): void {
  contextBox.replaceChildren();
  contextBox.hidden = context === null;
  if (context === null) return;
  const { usedTokens, repositoryTokens, files, leftOut, changed, read, reading } = context;
  const share = repositoryTokens > 0 ? usedTokens / repositoryTokens : 0;
  const tokens = `${count(usedTokens)} of ${count(repositoryTokens)} tokens`;
  const meter = document.createElement("meter");
  meter.value = Math.min(1, share);
  meter.setAttribute("aria-label", `Budget: ${tokens}, ${percent(share, 0)}`);
  const out = leftOut > 0 ? `, ${count(leftOut)} left out` : "";
  contextBox.append(
    meter,
    element(
      "div",
      { class: "row" },
      element("span", {}, `${tokens} · ${plural(files, "file")}${out}`),
      button("Map", "link", () => editor.postMessage({ kind: "show-map" }), "Show the context map"),
    ),
  );
  if (reading) {
    contextBox.append(progressView(reading.text, reading.share, () => editor.postMessage({ kind: "stop-reading" })));
  } else if (!isRunning() && (changed > 0 || !read)) {
    const text = changed > 0 ? `${plural(changed, "file")} changed since it was read.` : "Not read yet.";
    const title = changed > 0 ? "Read what follows the first change" : "Read the repository now";
    contextBox.append(
      element(
        "div",
        { class: changed > 0 ? "row stale" : "row" },
        element("span", {}, text),
        button(changed > 0 ? "Refresh" : "Read", "link", () => editor.postMessage({ kind: "read" }), title),
      ),
    );
  }
}

function progressView(text: string, share: number | null, stop: () => void): HTMLElement {
  return element(
    "div",
    { class: "progress" },
    progressBar(text, share),
    element("div", { class: "row" }, element("span", {}, text), button("Stop", "link", stop)),
  );
}

function drawTurn(turn: Turn): void {
  const known = turns.get(turn.id);
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  const copy = button("Copy", "link", () => editor.postMessage({ kind: "copy", turn: turn.id }), "Copy as Markdown");
  const heading = element("div", { class: "row" }, element("h3", {}, turn.question), copy);
  const view = element("article", { class: "turn" }, heading, ...turnBody(turn));
  if (known) known.view.replaceWith(view);
  else log.append(view);
  turns.set(turn.id, { turn, view });
  log.querySelector(".welcome")?.remove();
  // The newest is in sight, from its question on.
  if (atEnd || !known) log.scrollTop = view.offsetTop - log.offsetTop;
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
      const stop = (): void => editor.postMessage({ kind: "stop" });
      const label = progress ? progressText(progress) : text === "" ? "Starting" : "Answering";
      return [...answer, progressView(label, progress && progressShare(progress), stop)];
    }
    case "stopped":
      return [...answer, element("p", { class: "note" }, "Stopped.")];
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
      const unread = unreadText(state.record);
      return [
        ...answer,
        ...(unread === "" ? [] : [element("p", { class: "note" }, unread)]),
        element("div", { class: "figures note" }, answerLine(state.record)),
        element(
          "div",
          { class: "chips", label: "Follow-up questions" },
          ...state.followUps.map((question) => button(question, "chip", () => ask(question))),
        ),
      ];
    }
  }
}

function drawWelcome(): void {
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
        ...examples.map((question) =>
          button(question, "chip", () => {
            setDraft(question);
            const blank = question.indexOf("…");
            input.focus();
            input.setSelectionRange(blank, blank + 1);
          }),
        ),
      ),
    ),
  );
}

window.addEventListener("message", ({ data }: MessageEvent<ToPage>) => {
  switch (data.kind) {
    case "conversation":
      turns.clear();
      log.replaceChildren();
      context = data.context;
      for (const turn of data.turns) drawTurn(turn);
      if (data.turns.length === 0) drawWelcome();
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
  drawContext();
  drawSend();
});

drawSend();
editor.postMessage({ kind: "ready" });
