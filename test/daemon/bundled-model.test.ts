/**
 * The bundled model on a folder of this repository, as shipped: where the attention of its answers lies, and what it says each file
 * is for. One daemon, one prefill.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startNativeEngine } from "../../daemon/engine/native-engine.ts";
import { definedOnce } from "../../daemon/eval/definitions.ts";
import type { SummarizeResult, SummaryPiece } from "../../daemon/protocol/summarize.ts";
import { recordOf } from "./asking.ts";
import { type Bundled, bundle } from "./bundled.ts";
import { RawClient } from "./raw-client.ts";
import { startTestDaemon, type TestDaemon } from "./test-daemon.ts";

const model = fileURLToPath(new URL("../../models/bundled", import.meta.url));
/** Some ten thousand tokens. */
const repository = fileURLToPath(new URL("../../daemon/protocol", import.meta.url));

let bundled: Bundled;
let daemon: TestDaemon;
let client: RawClient;

beforeAll(async () => {
  expect(existsSync(path.join(model, "model.safetensors")), "the clone brings the weights").toBe(true);
  bundled = await bundle();
  const startEngine = () => startNativeEngine({ workerPath: bundled.nativeWorker, onLog: () => undefined });
  daemon = await startTestDaemon({ model, startEngine });
  client = await RawClient.ready(daemon.address, repository);
});

afterAll(async () => {
  client.close();
  await daemon.remove();
  bundled.remove();
});

describe("the evidence map", () => {
  it("puts the defining file first for at least eight of ten names", { timeout: 120_000 }, async () => {
    const files = readdirSync(repository)
      .filter((name) => name.endsWith(".ts"))
      .map((name) => ({ path: name, text: readFileSync(path.join(repository, name), "utf8") }));
    const defined = definedOnce(files).sort((first, second) => (first.name < second.name ? -1 : 1));
    expect(defined.length).toBeGreaterThan(40);
    const asked = Array.from({ length: 10 }, (_, at) => defined[Math.floor(((at + 0.5) * defined.length) / 10)]!);
    const misses: string[] = [];
    for (const { name, path: file, line } of asked) {
      const question = `Where is ${name} defined?`;
      const record = recordOf(await client.request("longsight/ask", { question, evidence: true }));
      const evidence = record.evidence!;
      const [block] = evidence.blocks;
      if (evidence.files[0]?.path !== file) misses.push(`${name}: ${file}, not ${JSON.stringify(evidence.files[0])}`);
      else expect(Math.abs(block!.line + 3 - line), `${name}: ${JSON.stringify(block)}`).toBeLessThan(24);
      // It means something: one file of twenty has more than any other, and the shares are shares.
      expect(evidence.files.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 1);
      expect(evidence.repositoryShare).toBeGreaterThan(0.3);
      expect(evidence.repositoryShare).toBeLessThanOrEqual(1);
    }
    expect(misses.length, misses.join("\n")).toBeLessThanOrEqual(2);
  });

  it("is not there when nobody asks", { timeout: 60_000 }, async () => {
    const record = recordOf(await client.request("longsight/ask", { question: "Where is AskRecord defined?" }));
    expect(record).not.toHaveProperty("evidence");
  });
});

describe("a summary", () => {
  it("says in words what the files are for, each statement in its place", { timeout: 180_000 }, async () => {
    const { error, result } = await client.request("longsight/summarize", { partialResultToken: "s" });
    expect(error).toBeUndefined();
    const { nodes, coverage, markdown } = result as unknown as SummarizeResult;
    expect(coverage.files).toBe(readdirSync(repository).length);
    expect(coverage.summarized).toBeGreaterThan(0.7 * coverage.files);
    for (const { path: name, kind, statements } of nodes) {
      for (const { text, citations } of statements) {
        if (kind === "repository" && citations.length === 0) expect(text).toMatch(/^\d+ more/);
        for (const citation of citations) {
          expect(citation.verified, `${name}: ${text}`).toBe(true);
          if (kind === "file") expect(citation.path).toBe(name);
          const cited = readFileSync(path.join(repository, citation.path), "utf8").split("\n")[citation.line - 1]!;
          // The statement is what stands there, less the comment's marks.
          const words = text
            .replace(/^[\w./-]+: /, "")
            .split(/\s+/)
            .slice(0, 3)
            .join(" ");
          expect(cited.replace(/\s+/g, " ")).toContain(words);
        }
      }
    }
    expect(nodes[0]).toMatchObject({ path: "", kind: "repository" });
    expect(nodes[0]!.statements[0]?.citations[0]?.path).toBe("index.ts");
    expect(nodes.find((node) => node.path === "errors.ts")?.statements[0]?.text).toMatch(/^The error catalogue\./);
    expect(markdown).toContain("](./errors.ts#L");
    const pieces = client.progressOf("s") as unknown as SummaryPiece[];
    expect(pieces.map(({ node }) => node.path).sort()).toEqual(nodes.map((node) => node.path).sort());
    expect(pieces.at(-1)!.node.kind).toBe("repository");
  });
});
