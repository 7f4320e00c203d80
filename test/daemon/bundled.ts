/** The CLI, the daemon and the engine's process as they are shipped: bundled from the sources as they are now. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("../..", import.meta.url));

export interface Bundled {
  readonly cli: string;
  readonly daemon: string;
  readonly nativeWorker: string;
  /** An engine process with the scripted addon. */
  readonly scriptedWorker: string;
  remove(): void;
}

/** A package root of its own, within ours, so that dependencies are found; with our addon, without a bundled model. */
export async function bundle(): Promise<Bundled> {
  const parent = path.join(root, "node_modules/.cache");
  mkdirSync(parent, { recursive: true });
  const packageRoot = mkdtempSync(path.join(parent, "longsight-test-"));
  symlinkSync(path.join(root, "build"), path.join(packageRoot, "build"));
  const out = (name: string): string => path.join(packageRoot, "dist", name);
  const entries = {
    longsight: "daemon/cli/main.ts",
    daemon: "daemon/server/main.ts",
    "native-worker": "daemon/engine/native-worker.ts",
    "scripted-worker": "test/daemon/scripted-worker.ts",
  };
  await build({
    absWorkingDir: root,
    entryPoints: entries,
    outdir: path.join(packageRoot, "dist"),
    bundle: true,
    platform: "node",
    target: "node20",
    format: "esm",
    external: ["*.node", "tokenizers"],
    banner: { js: 'import { createRequire as _cr } from "node:module"; const require = _cr(import.meta.url);' },
    logLevel: "error",
  });
  return {
    cli: out("longsight.js"),
    daemon: out("daemon.js"),
    nativeWorker: out("native-worker.js"),
    scriptedWorker: out("scripted-worker.js"),
    remove: () => {
      rmSync(packageRoot, { recursive: true, force: true });
    },
  };
}
