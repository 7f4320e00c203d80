// Bundles the extension into dist/extension: its main file (CommonJS, as every editor loads it), and a script and a
// style sheet per webview.
import { rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
const pages = ["ask", "map"];

/** @returns {Promise<void>} */
export async function bundleExtension() {
  await rm(`${root}dist/extension`, { recursive: true, force: true });
  /** @type {import("esbuild").BuildOptions} */
  const shared = { absWorkingDir: root, bundle: true, minify: true, sourcemap: false, logLevel: "warning" };
  await Promise.all([
    build({
      ...shared,
      entryPoints: ["extension/main.ts"],
      outfile: "dist/extension/extension.cjs",
      platform: "node",
      target: "node20",
      format: "cjs",
      external: ["vscode"],
      keepNames: true,
    }),
    build({
      ...shared,
      entryPoints: pages.flatMap((page) => [`extension/webview/${page}.ts`, `extension/webview/${page}.css`]),
      outdir: "dist/extension/webview",
      platform: "browser",
      target: "chrome120",
      format: "iife",
    }),
  ]);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await bundleExtension();
