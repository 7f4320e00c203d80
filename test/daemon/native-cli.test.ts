/** The whole of it, as shipped: CLI, spawned daemon, engine process, addon and a tiny model, with nothing scripted. */
import { execFile } from "node:child_process";
import { readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { AskRecord } from "../../daemon/protocol/ask.ts";
import { type Bundled, bundle } from "./bundled.ts";
import { temporaryDir } from "./test-daemon.ts";
import { writeRepository, writeTinyModel } from "./tiny-model.ts";

let bundled: Bundled;
let dir: string;
let model: string;

beforeAll(async () => {
  bundled = await bundle();
});

afterAll(() => {
  bundled.remove();
});

beforeEach(() => {
  dir = temporaryDir();
  model = writeTinyModel(path.join(dir, "model"));
  writeRepository(path.join(dir, "repo"), 3, 500);
});

afterEach(async () => {
  await longsight("stop");
  rmSync(dir, { recursive: true, force: true });
});

function longsight(...args: string[]): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  const env = {
    ...process.env,
    LONGSIGHT_RUNTIME_DIR: path.join(dir, "run"),
    LONGSIGHT_CACHE_DIR: path.join(dir, "cache"),
    LONGSIGHT_MODEL: model,
    LONGSIGHT_THREADS: "1",
  };
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [bundled.cli, ...args],
      { cwd: path.join(dir, "repo"), env },
      (_error, stdout, stderr) => {
        resolve({ exitCode: child.exitCode ?? -1, stdout, stderr });
      },
    );
  });
}

async function ask(question: string): Promise<AskRecord> {
  const { exitCode, stdout, stderr } = await longsight("ask", "--json", "--max-tokens", "8", question);
  expect(exitCode, stderr).toBe(0);
  return JSON.parse(stdout) as AskRecord;
}

describe("longsight with a real engine", () => {
  it("answers, answers again from the KV that it kept, and the same question the same way", async () => {
    const first = await ask("Where is part001?");
    expect(first.context.files).toBe(3);
    expect(first.timings).toMatchObject({ cachedTokens: 0 });
    expect(first.timings.prefillMs).toBeGreaterThan(0);
    expect(first.peakMemoryBytes).toBeGreaterThan(1_000_000);
    const second = await ask("And part002?");
    expect(second.timings).toMatchObject({ cachedTokens: first.context.tokens, prefillMs: 0 });
    const again = await ask("Where is part001?");
    expect(again.answer).toBe(first.answer);
    const status = JSON.parse((await longsight("status", "--json")).stdout) as object;
    expect(status).toMatchObject({ engine: { state: "ready", architecture: "SmolLM3ForCausalLM", threads: 1 } });
  });

  it("gives after an edit the answer that a fresh daemon gives", async () => {
    await ask("Where is part001?");
    writeFileSync(path.join(dir, "repo", "part002.ts"), "export const edited = true;\n");
    const edited = await ask("Where is edited?");
    expect(edited.timings.cachedTokens).toBeGreaterThan(0);
    expect(edited.timings.cachedTokens).toBeLessThan(edited.context.tokens);
    await longsight("stop");
    const fresh = await ask("Where is edited?");
    expect(fresh.timings.cachedTokens).toBe(0);
    expect(fresh.context.tokens).toBe(edited.context.tokens);
    expect(fresh.answer).toBe(edited.answer);
  });

  it.each([
    [
      "no config.json",
      66,
      /config\.json/,
      () => {
        rmSync(path.join(model, "config.json"));
      },
    ],
    [
      "no tokenizer",
      66,
      /tokenizer\.json/,
      () => {
        rmSync(path.join(model, "tokenizer.json"));
      },
    ],
    [
      "no weights",
      66,
      /safetensors/,
      () => {
        rmSync(path.join(model, "model.safetensors"));
      },
    ],
    [
      "weights that are cut off",
      65,
      /model\.safetensors/,
      () => {
        truncateSync(path.join(model, "model.safetensors"), 100_000);
      },
    ],
    [
      "an unknown architecture",
      69,
      /Mamba/,
      () => {
        editConfig("SmolLM3ForCausalLM", "MambaForCausalLM");
      },
    ],
    [
      "a config that is not JSON",
      65,
      /config\.json/,
      () => {
        writeFileSync(path.join(model, "config.json"), "{");
      },
    ],
  ])("refuses a model folder with %s, and names the file", async (_what, code, message, damage) => {
    damage();
    const { exitCode, stdout, stderr } = await longsight("ask", "q");
    expect(stderr).toMatch(message);
    expect(exitCode).toBe(code);
    expect(stdout).toBe("");
  });
});

function editConfig(from: string, to: string): void {
  const file = path.join(model, "config.json");
  writeFileSync(file, readFileSync(file, "utf8").replace(from, to));
}
