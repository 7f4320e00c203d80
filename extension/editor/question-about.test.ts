import { describe, expect, it } from "vitest";
import { questionAbout } from "./question-about.ts";

describe("a question about a selection", () => {
  it("is about the name that is selected or defined", () => {
    expect(questionAbout(" scanRepository ")).toBe("what does scanRepository do?");
    expect(questionAbout("export async function scan(root) {\n  return 1;\n}")).toBe("what does scan do?");
    expect(questionAbout("def parse(line):")).toBe("what does parse do?");
  });

  it("is the code itself where it defines nothing", () => {
    expect(questionAbout("a + b * c")).toBe("explain this code:\na + b * c");
    expect(questionAbout("  \n")).toBeNull();
  });
});
