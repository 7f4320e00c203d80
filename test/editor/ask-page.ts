/// <reference lib="dom" />
/** The page of the Ask view, as a person reads it. */
import type { Frame, Locator } from "playwright-core";
import { expect } from "vitest";
import type { Workbench } from "./workbench.ts";

export interface ShownAnswer {
  readonly text: string;
  readonly places: readonly string[];
  readonly badges: readonly string[];
  /** "first token 0.2 s 16,003 of 16,013 tokens reused ...". */
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

  lastTurn(): Locator {
    return this.frame.locator(".turn").last();
  }

  /** Types it and presses Enter; does not wait. */
  async send(question: string): Promise<void> {
    const input = this.frame.locator("textarea");
    // The same question may have been asked before: its turn is not this one's.
    const before = await this.frame.locator(".turn").count();
    await input.fill(question);
    await input.press("Enter");
    await this.frame.locator(".turn").nth(before).getByText(question, { exact: true }).waitFor();
  }

  async ask(question: string): Promise<ShownAnswer> {
    await this.send(question);
    return this.answer();
  }

  /** Of the last turn, when it is complete. */
  async answer(): Promise<ShownAnswer> {
    const turn = this.lastTurn();
    await turn.locator(".figures, .failure").waitFor({ timeout: answerMs });
    expect(await turn.locator(".failure").allInnerTexts()).toEqual([]);
    return {
      text: await turn.locator(".answer").innerText(),
      places: await turn.locator("button.place").allInnerTexts(),
      badges: await turn.locator(".badge").allInnerTexts(),
      figures: await turn.locator(".figures").innerText(),
    };
  }

  /** The line above the conversation: "16.0K of 64.5K tokens · 27 files". */
  async contextLine(): Promise<string> {
    return this.frame.locator(".context .row").first().innerText();
  }

  /** As the budget's bar tells it, which is as full as it says. */
  async usedTokens(): Promise<number> {
    const meter = this.frame.locator(".context .meter");
    const [used, most] = [await meter.getAttribute("aria-valuenow"), await meter.getAttribute("aria-valuemax")];
    const shown = await meter.evaluate((bar) => bar.firstElementChild!.clientWidth / bar.clientWidth);
    expect(Math.abs(shown - Number(used) / Number(most))).toBeLessThan(0.02);
    return Number(used);
  }

  /** Below it: "Read · 1 left out". */
  async readState(): Promise<string> {
    return (await this.frame.locator(".context .row").nth(1).innerText()).replace(/\s+/g, " ");
  }
}

/** Tokens that an answer's figures call reused. */
export function reusedTokens(figures: string): number {
  return Number(/([\d,]+) of [\d,]+ tokens reused/.exec(figures)?.[1]?.replaceAll(",", ""));
}
