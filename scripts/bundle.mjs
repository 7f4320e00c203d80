// Bundles the TypeScript entries into dist/: one ESM file each, for Node 20 and later. Runs at the end of `npm ci`.
//
// `--require-all` fails when an entry is absent; without it an absent entry is named and left out, so that a checkout
// in which a room is not there yet still installs.
import { chmod, mkdir } from "node:fs/promises";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Output file to source, both from the repository root; `executable` gets a shebang and the mode bits for it. */
const entries = [
  { out: "dist/longsight.js", source: "daemon/cli/main.ts", executable: true },
  { out: "dist/daemon.js", source: "daemon/server/main.ts" },
  { out: "dist/native-worker.js", source: "daemon/engine/native-worker.ts" },
  { out: "dist/bench-prefill.js", source: "daemon/bench/main.ts" },
  { out: "dist/eval.js", source: "daemon/eval/main.ts" },
  { out: "dist/search.js", source: "daemon/search/main.ts" },
  { out: "dist/eval-bundled.js", source: "test/eval/main.ts" },
  { out: "dist/eval-selection.js", source: "test/eval/selection.ts" },
];

// Bundled CommonJS packages (vscode-jsonrpc) call require(), which an ES module does not have.
const requireForCommonJs = 'import { createRequire as _cr } from "node:module"; const require = _cr(import.meta.url);';

const present = entries.filter((entry) => existsSync(`${root}${entry.source}`));
const absent = entries.filter((entry) => !present.includes(entry));
if (absent.length > 0 && process.argv.includes("--require-all")) {
  console.error(`bundle: no such entry: ${absent.map((entry) => entry.source).join(", ")}`);
  process.exit(1);
}

await mkdir(`${root}dist`, { recursive: true });
const results = await Promise.allSettled(
  present.map(async ({ out, source, executable }) => {
    await build({
      absWorkingDir: root,
      entryPoints: [source],
      outfile: out,
      bundle: true,
      platform: "node",
      target: "node20",
      format: "esm",
      sourcemap: true,
      // `tokenizers` loads its own prebuilt addon relative to its package, so it must stay where npm put it.
      external: ["*.node", "tokenizers"],
      banner: { js: `${executable ? "#!/usr/bin/env node\n" : ""}${requireForCommonJs}` },
      logLevel: "warning",
    });
    if (executable) await chmod(`${root}${out}`, 0o755);
  }),
);
// esbuild has printed what is wrong and where; its stack would add nothing.
if (results.some(({ status }) => status === "rejected")) process.exit(1);
if (absent.length > 0) console.log(`bundle: absent, left out: ${absent.map((entry) => entry.source).join(", ")}`);
