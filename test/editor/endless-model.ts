/** The bundled model without an end: it answers as it does, then goes on until it is stopped or reaches its limit. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { repositoryRoot } from "./server.ts";

/** Of padding: a token that no model generates. */
const neverGenerated = 0;

/** A model folder; the weights are the bundled ones. */
export function endlessModel(): string {
  const bundled = path.join(repositoryRoot, "models/bundled");
  const folder = path.join(mkdtempSync(path.join(tmpdir(), "ls-model-")), "endless");
  mkdirSync(folder);
  for (const file of readdirSync(bundled)) {
    const from = path.join(bundled, file);
    if (file !== "config.json" && file !== "generation_config.json") {
      symlinkSync(from, path.join(folder, file));
      continue;
    }
    const config = JSON.parse(readFileSync(from, "utf8")) as object;
    writeFileSync(path.join(folder, file), JSON.stringify({ ...config, eos_token_id: neverGenerated }));
  }
  return folder;
}
