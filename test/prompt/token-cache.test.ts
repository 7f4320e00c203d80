import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { loadPromptModel, packRepository, TokenCache } from "../../daemon/prompt/index.ts";
import { scanRepository } from "../../daemon/repository/index.ts";
import { temporaryFolder } from "../repository/temporary-folder.ts";
import { tinyModelFolder } from "./tiny-model.ts";

const key = (name: string): string => TokenCache.key("tokenizer", 8, name);
const entry = (lineCount: number, ...ids: number[]): Parameters<TokenCache["set"]>[1] => ({
  lineCount,
  blockLengths: Uint32Array.of(ids.length),
  ids: Uint32Array.from(ids),
});

function cacheFolder(): string {
  const folder = path.join(mkdtempSync(path.join(tmpdir(), "longsight-cache-")), "tokens");
  onTestFinished(() => {
    rmSync(path.dirname(folder), { recursive: true, force: true });
  });
  return folder;
}

test("what one process saves, the next one finds; private to the user", async () => {
  const directory = cacheFolder();
  const first = await TokenCache.open({ directory });
  first.set(key("a"), entry(3, 1, 2, 70_000));
  first.set(key("empty"), { lineCount: 0, blockLengths: new Uint32Array(), ids: new Uint32Array() });
  await first.save();
  expect(readdirSync(directory)).toHaveLength(1);
  expect(statSync(directory).mode & 0o777).toBe(0o700);
  expect(statSync(path.join(directory, "tokens.bin")).mode & 0o777).toBe(0o600);
  const second = await TokenCache.open({ directory });
  expect(second.get(key("a"))).toEqual(entry(3, 1, 2, 70_000));
  expect(second.get(key("empty"))?.ids).toHaveLength(0);
  expect(second.get(key("b"))).toBeUndefined();
  expect(second.sizeBytes).toBe(first.sizeBytes);
});

test("a cut, changed or foreign file is an empty cache", async () => {
  const directory = cacheFolder();
  const cache = await TokenCache.open({ directory });
  cache.set(key("a"), entry(1, 1, 2, 3));
  cache.set(key("b"), entry(2, 4, 5));
  await cache.save();
  const file = path.join(directory, "tokens.bin");
  const whole = readFileSync(file);
  const opened = async (bytes: Buffer): Promise<number> => {
    writeFileSync(file, bytes);
    return (await TokenCache.open({ directory })).sizeBytes;
  };
  expect(await opened(whole)).toBe(cache.sizeBytes);
  for (let length = 0; length < whole.length; length++) expect(await opened(whole.subarray(0, length))).toBe(0);
  await fc.assert(
    fc.asyncProperty(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
      const damaged = Buffer.from(whole);
      damaged[at] = (damaged[at] ?? 0) ^ flip;
      expect(await opened(damaged)).toBe(0);
    }),
  );
});

test("the bound holds, and what was not used for longest goes first", async () => {
  const cache = await TokenCache.open({ directory: null, maxBytes: 1000 });
  for (let index = 0; index < 100; index++) {
    cache.set(key(index.toString()), entry(1, ...Array.from({ length: 20 }, (_, id) => id)));
    expect(cache.get(key("0"))).toBeDefined();
    expect(cache.sizeBytes).toBeLessThanOrEqual(1000);
  }
  expect(cache.get(key("99"))).toBeDefined();
  expect(cache.get(key("50"))).toBeUndefined();
});

test("a folder that cannot be written costs nothing but the cache", async () => {
  const directory = path.join(cacheFolder(), "file-in-the-way");
  writeFileSync(path.dirname(directory), "");
  const cache = await TokenCache.open({ directory });
  cache.set(key("a"), entry(1, 1));
  await expect(cache.save()).resolves.toBeUndefined();
  expect(cache.get(key("a"))).toBeDefined();
});

test("a cached file is packed without being read, into the same tokens", async () => {
  const model = await loadPromptModel(tinyModelFolder());
  const root = temporaryFolder({ "a.ts": "export const a = 1;\n".repeat(20), "b.ts": "b\n" });
  const scan = await scanRepository(root);
  const cache = await TokenCache.open({ directory: cacheFolder() });
  const cold = await packRepository(scan, model, { budgetTokens: 5000, cache });
  rmSync(path.join(root, "a.ts"));
  chmodSync(root, 0o700);
  const warm = await packRepository(scan, model, { budgetTokens: 5000, cache });
  expect(warm.identity).toBe(cold.identity);
  await expect(packRepository(scan, model, { budgetTokens: 5000 })).resolves.not.toMatchObject({
    identity: cold.identity,
  });
});
