import { describe, expect, it } from "vitest";
import { errorCatalogue } from "../protocol/errors.ts";
import { readArguments } from "./arguments.ts";
import { helpText } from "./help.ts";

describe("the command line", () => {
  it("is read as it is written", () => {
    expect(
      readArguments(["ask", "where", "is", "x?", "--repo", "/r", "--context=4096", "--json", "--max-tokens", "9"]),
    ).toEqual({
      kind: "ask",
      question: "where is x?",
      repo: "/r",
      model: undefined,
      context: 4096,
      maxTokens: 9,
      evidence: false,
      json: true,
    });
    expect(readArguments(["ask", "x", "--exclude", "docs", "--exclude", "a.ts", "--evidence"])).toMatchObject({
      exclude: ["docs", "a.ts"],
      include: undefined,
      evidence: true,
    });
    expect(readArguments(["summarize", "src/", "--markdown"])).toMatchObject({
      kind: "summarize",
      path: "src/",
      again: false,
      json: false,
      markdown: true,
    });
    expect(readArguments(["summarize"])).toMatchObject({ path: null });
    expect(readArguments(["ask"])).toMatchObject({ kind: "ask", question: null });
    expect(readArguments(["ask", "--device", "cuda:1"])).toMatchObject({ device: "cuda:1" });
    expect(readArguments(["bench", "--device", "cpu"])).toMatchObject({ kind: "bench", device: "cpu" });
    expect(readArguments(["ask", "--", "--repo", "is", "what?"])).toMatchObject({
      question: "--repo is what?",
      repo: undefined,
    });
    expect(readArguments(["model", "list", "--json"])).toEqual({ kind: "model-list", json: true });
    expect(readArguments(["lsp", "--stdio"])).toEqual({ kind: "lsp" });
    expect(readArguments(["eval", "ruler", "--json"])).toEqual({
      kind: "child",
      program: "eval.js",
      args: ["ruler", "--json"],
    });
    expect(readArguments(["search", "--texts", "2"])).toEqual({
      kind: "child",
      program: "search.js",
      args: ["--texts", "2"],
    });
    expect(readArguments(["bench", "prefill", "--mode", "auto"])).toEqual({
      kind: "child",
      program: "bench-prefill.js",
      args: ["--mode", "auto"],
    });
    expect(readArguments(["status"])).toEqual({ kind: "status", json: false });
    expect(readArguments([])).toEqual({ kind: "help" });
    expect(readArguments(["ask", "--help"])).toEqual({ kind: "help" });
    expect(readArguments(["-V"])).toEqual({ kind: "version" });
  });

  it.each([
    [["frobnicate"], /no command "frobnicate"; there are ask, summarize, status/],
    [["constructor"], /no command "constructor"/],
    [["ask", "--colour", "x"], /--colour/],
    [["ask", "q", "--repo"], /repo/],
    [["ask", "q", "--context", "many"], /--context takes a whole number from 256/],
    [["ask", "q", "--context", "12"], /--context takes a whole number/],
    [["ask", "q", "--context", "1e9"], /--context takes a whole number/],
    [["ask", "q", "--max-tokens", "0"], /--max-tokens takes a whole number from 1/],
    [["ask", "q", "--prefill", "fast"], /--prefill takes one of auto, dense, sparse, not "fast"/],
    [["ask", "q", "--recall-floor", "1.5"], /--recall-floor takes a number from 0 to 1/],
    [["ask", "q", "--recall-floor", "high"], /--recall-floor takes a number from 0 to 1/],
    [["status", "--prefill", "dense"], /"longsight status" has no option --prefill/],
    [["ask", "q", "--device", "gpu"], /--device takes auto, cpu, cuda or cuda:N, not "gpu"/],
    [["ask", "q", "--device", "cuda:"], /--device takes/],
    [["status", "--device", "cpu"], /"longsight status" has no option --device/],
    [["ask", "  "], /question is empty/],
    [["status", "--repo", "x"], /"longsight status" has no option --repo/],
    [["stop", "now"], /takes no argument, but got "now"/],
    [["model"], /followed by "list"/],
    [["model", "pull"], /followed by "list"/],
  ])("refuses %j", (args, message) => {
    expect(() => readArguments(args)).toThrow(message);
    expect(() => readArguments(args)).toThrow(expect.objectContaining({ code: "invalid-argument" }) as Error);
  });
});

describe("the help", () => {
  it("explains every exit code of the catalogue", () => {
    const text = helpText();
    for (const { exit } of Object.values(errorCatalogue))
      expect(text).toMatch(new RegExp(`^ +${exit.toString()} {2}\\w`, "m"));
    expect(text).not.toContain("another failure");
  });

  it("names every environment variable that the daemon and the CLI read, and no other", async () => {
    const { readdirSync, readFileSync } = await import("node:fs");
    const read = new Set<string>();
    for (const room of ["cli", "server", "socket", "engine", "sessions"]) {
      const folder = new URL(`../${room}/`, import.meta.url);
      for (const name of readdirSync(folder).filter(
        (file) => file.endsWith(".ts") && !file.endsWith(".test.ts") && file !== "help.ts",
      )) {
        for (const [variable] of readFileSync(new URL(name, folder), "utf8").matchAll(/LONGSIGHT_[A-Z_]+/g))
          read.add(variable);
      }
    }
    expect(new Set(helpText().match(/LONGSIGHT_[A-Z_]+/g))).toEqual(read);
  });
});
