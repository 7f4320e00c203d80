import { describe, expect, it } from "vitest";
import { budgetKeys, readSearchOptions, searchHelp } from "./options.ts";

describe("the command line of longsight search", () => {
  it("has defaults, of which the budget is the engine's own", () => {
    const options = readSearchOptions([]);
    expect(options).toMatchObject({ length: 32768, texts: 6, compare: undefined, questions: 100, seed: 1 });
    expect(options.out).toMatch(/\/head-patterns\.json$/);
    expect(budgetKeys(options)).toBe(2048);
    expect(budgetKeys(readSearchOptions(["--length", "131072"]))).toBe(8192);
    expect(budgetKeys(readSearchOptions(["--keys", "512"]))).toBe(512);
  });

  it("takes the device from the command line, else from the environment", () => {
    expect(readSearchOptions([]).device).toBe("auto");
    expect(readSearchOptions([], { LONGSIGHT_DEVICE: "cuda:1" }).device).toBe("cuda:1");
    expect(readSearchOptions(["--device", "cpu"], { LONGSIGHT_DEVICE: "cuda:1" }).device).toBe("cpu");
    expect(() => readSearchOptions([], { LONGSIGHT_DEVICE: "gpu" })).toThrow("LONGSIGHT_DEVICE=gpu is none of auto");
  });

  it.each([
    [["--texts", "0"], "--texts takes a whole number from 1"],
    [["--length", "many"], "--length takes a whole number"],
    [["--length", "8191"], "from 8192 tokens on"],
    [["--length", "4096", "--keys", "1000"], "too short for a budget of 1000 keys"],
    [["--keys", "1.5"], "--keys takes a whole number"],
    [["--device", "cuda:x"], "--device cuda:x is none of auto, cpu, cuda, cuda:N"],
    [["--json"], "--json goes with --compare"],
    [["--depth"], "--depth"],
    [["there"], "there"],
  ])("refuses %j", (args, message) => {
    expect(() => readSearchOptions(args)).toThrow(message);
  });

  it("explains every option that it takes", () => {
    const { help, ...named } = readSearchOptions(["--help"]);
    expect(help).toBe(true);
    for (const option of Object.keys(named)) expect(searchHelp).toContain(`--${option}`);
  });
});
