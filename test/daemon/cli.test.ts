/** The `longsight` command as a user meets it: a process of its own, against a daemon with a scripted engine. */
import { type ChildProcess, spawn } from "node:child_process";
import { rmSync } from "node:fs";
import path from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { productVersion } from "../../daemon/protocol/version.ts";
import { type Bundled, bundle } from "./bundled.ts";
import { startTestDaemon, temporaryDir, type TestDaemon, type TestDaemonOptions } from "./test-daemon.ts";
import { bytesOf, textOf, writeRepository, writeTinyModel } from "./tiny-model.ts";

let bundled: Bundled;
let dir: string;
let model: string;
let repository: string;
let daemon: TestDaemon | undefined;
const children: ChildProcess[] = [];

beforeAll(async () => {
  bundled = await bundle();
});

afterAll(() => {
  bundled.remove();
});

beforeEach(() => {
  dir = temporaryDir();
  model = writeTinyModel(path.join(dir, "model"));
  repository = writeRepository(path.join(dir, "repo"), 5, 1000);
});

afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await daemon?.remove();
  daemon = undefined;
  rmSync(dir, { recursive: true, force: true });
});

async function start(script: TestDaemonOptions["script"] = {}): Promise<void> {
  const answer = () => bytesOf("It is at [0:1].");
  daemon = await startTestDaemon({ model, script: { maxContextTokens: 200_000, answer, ...script } });
}

interface Outcome {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A running command; `onStderr` sees the text so far. */
function longsight(
  args: string[],
  options: { input?: string; onStderr?: (text: string, child: ChildProcess) => void } = {},
) {
  const child = spawn(process.execPath, [bundled.cli, ...args], {
    cwd: repository,
    env: { ...process.env, LONGSIGHT_RUNTIME_DIR: daemon?.runtimeDir ?? path.join(dir, "run"), LONGSIGHT_MODEL: model },
    stdio: ["pipe", "pipe", "pipe"],
  });
  children.push(child);
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
    options.onStderr?.(stderr, child);
  });
  child.stdin.end(options.input ?? "");
  return new Promise<Outcome>((resolve) => {
    child.once("close", (exitCode) => {
      resolve({ exitCode, stdout, stderr });
    });
  });
}

/** As a chat model does: names what it is asked about, and cites the first file. */
const summarizing = {
  answer: (_context: Uint32Array, about: Uint32Array) =>
    bytesOf(`This is ${/What is (?:the \w+ )?(\S+?)(?: repository)?[ ,]/.exec(textOf(about))?.[1] ?? "?"}. [0:1]`),
};

describe("longsight summarize", () => {
  it("prints each summary with its place, and how many files have one", async () => {
    await start({ ...summarizing, tokenMs: 5 });
    const { exitCode, stdout, stderr } = await longsight(["summarize"]);
    expect(exitCode, stderr).toBe(0);
    expect(stdout).toMatch(/^part000\.ts\n {2}This is part000\.ts\. {2}\[part000\.ts:1.*\]\n\npart001\.ts\n/);
    expect(stdout).toMatch(/\nThe repository\n {2}This is this\. {2}\[part000\.ts:1.*\]\n\n$/);
    expect(stderr).toContain("[5 of 5 files summarized, 0 kept from before]");
    expect(stderr).toMatch(/Summarized \d of 5 files/);
  });

  it("prints one JSON object or one Markdown document, of a part of the repository, with what was chosen", async () => {
    await start(summarizing);
    const json = await longsight(["summarize", "--json", "--exclude", "./part001.ts"]);
    expect(JSON.parse(json.stdout)).toMatchObject({
      coverage: { summarized: 4, files: 4 },
      context: { files: 4, leftOut: [{ path: "part001.ts", reason: "excluded" }] },
    });
    const markdown = await longsight(["summarize", "./part002.ts", "--markdown"]);
    expect(markdown.stdout).toMatch(
      /^# repo\n\n1 of 1 files summarized[^]*\n## part002\.ts\n\n- This is part002\.ts\. \(\[part000/,
    );
  });

  it("says what is wrong with the path", async () => {
    await start(summarizing);
    const outside = await longsight(["summarize", "../elsewhere"]);
    expect(outside).toMatchObject({ exitCode: 64, stderr: expect.stringContaining("is not in") as string });
    const missing = await longsight(["summarize", "nowhere.ts"]);
    expect(missing).toMatchObject({ exitCode: 64, stderr: expect.stringContaining("nowhere.ts") as string });
  });
});

describe("longsight ask", () => {
  it("prints the answer and its places on stdout, progress and cost on stderr", async () => {
    await start({ stepMs: 150 });
    const { exitCode, stdout, stderr } = await longsight(["ask", "Where", "is", "part000?"]);
    expect(exitCode, stderr).toBe(0);
    expect(stdout).toMatch(/^It is at part000\.ts:1\b/);
    expect(stdout).toMatch(/^ {2}part000\.ts:1/m);
    expect(stderr).toMatch(/^Prefill \d+ %, [\d,]+ of [\d,]+ tokens, /m);
    expect(stderr).toMatch(/\[context: 5 files, [\d,]+ tokens\]/);
    expect(stderr).toMatch(/\[first token after .*, 0 of [\d,]+ tokens reused, prefill .*dense prefill\]/);
    expect(stderr).not.toContain("\x1b");
  });

  it("prints one JSON object with --json, and nothing else on stdout", async () => {
    await start();
    const { exitCode, stdout } = await longsight(["ask", "--json", "Where is part000?"]);
    expect(exitCode).toBe(0);
    const record = JSON.parse(stdout) as Record<string, unknown>;
    expect(record).toEqual({
      answer: expect.stringContaining("part000.ts:1") as string,
      citations: [
        {
          path: "part000.ts",
          line: 1,
          verified: expect.any(Boolean) as boolean,
          stale: false,
          quote: expect.any(String) as string,
        },
      ],
      context: {
        files: 5,
        tokens: expect.any(Number) as number,
        leftOut: [],
        leftOutCount: 0,
        changedFiles: 0,
        unsavedFiles: 0,
      },
      timings: {
        promptTokens: expect.any(Number) as number,
        cachedTokens: 0,
        prefillMs: expect.any(Number) as number,
        firstTokenMs: expect.any(Number) as number,
        tokensPerSecond: expect.any(Number) as number,
      },
      peakMemoryBytes: expect.any(Number) as number,
      mode: "dense",
      prefill: {
        recall: { mean: 1, least: 1 },
        sparsity: 0,
        guardShare: 0,
        kv: "bf16",
        chunkTokens: 32_768,
        reduced: false,
      },
      stopReason: "end-token",
      model,
    });
  });

  it("answers one question per line of its input, with the context kept", async () => {
    await start();
    const { exitCode, stdout, stderr } = await longsight(["ask"], { input: "First?\n\nSecond?\n" });
    expect(exitCode, stderr).toBe(0);
    expect(stdout.match(/It is at/g)).toHaveLength(2);
    expect(stderr.match(/tokens reused/g)).toHaveLength(2);
    expect(daemon?.work.prefillCalls).toBe(1);
  });

  it.each([
    [
      "no such folder",
      ["ask", "--repo", "/no/such/folder", "q"],
      66,
      /There is no folder \/no\/such\/folder[^]*Check the path/,
    ],
    ["no such model", ["ask", "--model", "/no/such/model", "q"], 66, /no model folder/],
    ["a context beyond the model's", ["ask", "--context", "999999", "q"], 64, /more than this model's 200,000/],
    [
      "a question that is too long",
      ["ask", "--context", "1024", "long ".repeat(600)],
      65,
      /The question has [\d,]+ tokens/,
    ],
    ["a wrong option", ["ask", "--nope", "q"], 64, /--nope[^]*longsight --help/],
    [
      "another device than the running daemon's",
      ["ask", "--device", "cuda:1", "q"],
      75,
      /daemon was started with device cpu, not cuda:1[^]*longsight stop/,
    ],
    ["a wrong command", ["answer"], 64, /no command "answer"/],
  ])("exits with the catalogue's code for %s, and says what to do", async (_what, args, code, message) => {
    await start();
    const { exitCode, stdout, stderr } = await longsight(args);
    expect(exitCode).toBe(code);
    expect(stdout).toBe("");
    expect(stderr).toMatch(message);
  });

  it("tells that the memory does not suffice, with the figures", async () => {
    await start({ totalBytes: 1000 });
    const { exitCode, stderr } = await longsight(["ask", "q"]);
    expect(exitCode).toBe(71);
    expect(stderr).toMatch(/GiB are free\.\nLower --context/);
  });

  it.each([
    ["a prefill", { stepMs: 300 }, /Prefill/],
    ["an answer", { tokenMs: 300 }, /Answering/],
  ])("stops on Ctrl-C in the middle of %s with 130, and the daemon lives on", async (_what, script, seen) => {
    await start(script);
    let sent = false;
    const { exitCode, stdout } = await longsight(["ask", "q"], {
      onStderr: (text, child) => {
        if (sent || !seen.test(text)) return;
        sent = true;
        child.kill("SIGINT");
      },
    });
    expect(exitCode).toBe(130);
    expect(stdout).not.toContain("It is at part000");
    // The client leaves at once; the engine a tile or a token later.
    await vi.waitFor(async () => {
      const status = await longsight(["status", "--json"]);
      expect(JSON.parse(status.stdout)).toMatchObject({ running: true, runningRequests: 0, queuedRequests: 0 });
    }, 5000);
  });

  it("says so when the engine dies, exits with 70, and works again", async () => {
    await start({ tokenMs: 200 });
    let killed = false;
    const dead = await longsight(["ask", "q"], {
      onStderr: (text) => {
        if (killed || !text.includes("Answering")) return;
        killed = true;
        daemon?.engine().die("SIGKILL");
      },
    });
    expect(dead.exitCode).toBe(70);
    expect(dead.stderr).toMatch(/ended unexpectedly \(SIGKILL\)[^]*Ask again/);
  });

  it("says so when the daemon ends in the middle", async () => {
    await start({ tokenMs: 200 });
    let stopped = false;
    const { exitCode, stderr } = await longsight(["ask", "q"], {
      onStderr: (text) => {
        if (stopped || !text.includes("Answering")) return;
        stopped = true;
        void daemon?.daemon.stop("test");
      },
    });
    expect(exitCode).toBe(70);
    expect(stderr).toMatch(/stopped before it had finished/);
  });
});

describe("the other commands", () => {
  it("print status without starting a daemon", async () => {
    expect(await longsight(["status"])).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining("No daemon is running") as string,
    });
    expect(JSON.parse((await longsight(["status", "--json"])).stdout)).toEqual({ running: false });
  });

  it("print status with the contexts that are held", async () => {
    await start();
    await longsight(["ask", "q"]);
    const { stdout } = await longsight(["status"]);
    expect(stdout).toMatch(/^engine +.*\(Scripted\) on cpu/m);
    expect(stdout).toMatch(/^context +.*repo: [\d,]+ tokens held/m);
  });

  it("list the models, with what keeps one from being used", async () => {
    await start();
    const { stdout } = await longsight(["model", "list"]);
    expect(stdout).toMatch(/^\* .*model: SmolLM3ForCausalLM, 1 MB, up to 4,096 tokens$/m);
    expect(stdout).toContain("Supported architectures: LlamaForCausalLM");
    const parsed = JSON.parse((await longsight(["model", "list", "--json"])).stdout) as { models: object[] };
    expect(parsed.models).toMatchObject([{ path: model, isDefault: true, problem: null }]);
  });

  it("tell help and version", async () => {
    expect(await longsight(["--version"])).toMatchObject({ exitCode: 0, stdout: `${productVersion}\n` });
    const { exitCode, stdout } = await longsight([]);
    expect(exitCode).toBe(0);
    expect(stdout).toContain("Usage:");
  });

  it("stop the daemon", async () => {
    await start();
    expect((await longsight(["stop"])).stdout).toMatch(/Stopped the daemon \(version/);
    expect((await longsight(["stop"])).stdout).toBe("No daemon is running.\n");
  });
});
