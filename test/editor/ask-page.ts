/** The page of the Ask view, as a person reads it. */
import type { Frame } from "playwright-core";
import { expect } from "vitest";
import type { Workbench } from "./workbench.ts";

export interface ShownAnswer {
  readonly text: string;
  readonly places: readonly string[];
  readonly badges: readonly string[];
  /** "first token 0.2 s · 16,003 of 16,013 tokens reused · ...". */
  readonly figures: string;
}

const answerMs = 150_000;

export class AskPage {
  readonly frame: Frame;

  private constructor(frame: Frame) {
    this.frame = frame;
  }

  static async show(bench: Workbench): Promise<AskPage> {
    await bench.command("Longsight: Ask the Repository");
    return new AskPage(await bench.webview("textarea"));
  }

  /** Types it and presses Enter; does not wait. */
  async send(question: string): Promise<void> {
    const input = this.frame.locator("textarea");
    await input.fill(question);
    await input.press("Enter");
    await this.frame.locator(".turn").last().getByText(question, { exact: true }).waitFor();
  }

  async ask(question: string): Promise<ShownAnswer> {
    await this.send(question);
    return this.answer();
  }

  /** Of the last turn, when it is complete. */
  async answer(): Promise<ShownAnswer> {
    const turn = this.frame.locator(".turn").last();
    await turn.locator(".figures, .failure").waitFor({ timeout: answerMs });
    expect(await turn.locator(".failure").allInnerTexts()).toEqual([]);
    return {
      text: await turn.locator(".answer").innerText(),
      places: await turn.locator("button.place").allInnerTexts(),
      badges: await turn.locator(".badge").allInnerTexts(),
      figures: await turn.locator(".figures").innerText(),
    };
  }

  /** The line above the conversation: "16,003 of 64,512 tokens · 27 files, 1 left out". */
  async contextLine(): Promise<string> {
    return this.frame.locator(".context .row").first().innerText();
  }

  async usedTokens(): Promise<number> {
    return Number(/^([\d,]+) of/.exec(await this.contextLine())?.[1]?.replaceAll(",", ""));
  }
}

/** Tokens that an answer's figures call reused. */
export function reusedTokens(figures: string): number {
  return Number(/([\d,]+) of [\d,]+ tokens reused/.exec(figures)?.[1]?.replaceAll(",", ""));
}
