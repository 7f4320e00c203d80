/** The private folder that holds the daemon's socket, its log and its start claims. */
import { lstat, mkdir } from "node:fs/promises";
import path from "node:path";
import { Failure } from "../failure/failure.ts";

/** $LONGSIGHT_RUNTIME_DIR, else $XDG_RUNTIME_DIR/longsight, else /tmp/longsight-<uid>. */
export function runtimeDirPath(env: NodeJS.ProcessEnv): string {
  if (env["LONGSIGHT_RUNTIME_DIR"]) return path.resolve(env["LONGSIGHT_RUNTIME_DIR"]);
  if (process.platform === "win32") return path.join(env["LOCALAPPDATA"] ?? env["TEMP"] ?? ".", "longsight");
  if (env["XDG_RUNTIME_DIR"]) return path.join(env["XDG_RUNTIME_DIR"], "longsight");
  return `/tmp/longsight-${userId().toString()}`;
}

/**
 * Creates the folder if need be, and checks that it is ours alone: who can write to it could put their own socket there
 * and read our questions. Rejects with `socket-not-ours`.
 */
export async function ensureRuntimeDir(dir: string): Promise<void> {
  // Looked at first: mkdir follows a link, and would make a folder wherever it leads.
  if (!(await exists(dir))) {
    await mkdir(dir, { recursive: true, mode: 0o700 }).catch((thrown: unknown) => {
      throw new Failure("socket-not-ours", `The runtime folder ${dir} cannot be created.`, { cause: thrown });
    });
  }
  const stat = await lstat(dir);
  if (stat.isSymbolicLink()) throw notOurs(dir, "it is a symbolic link");
  if (!stat.isDirectory()) throw notOurs(dir, "it is not a folder");
  if (process.platform === "win32") return; // the user's profile is private by its access list
  if (stat.uid !== userId()) throw notOurs(dir, `it belongs to user ${stat.uid.toString()}`);
  if ((stat.mode & 0o077) !== 0) {
    throw notOurs(dir, `others may enter it (mode ${(stat.mode & 0o777).toString(8)}, wanted 700)`);
  }
}

async function exists(dir: string): Promise<boolean> {
  return (await lstat(dir).catch(() => null)) !== null;
}

function notOurs(dir: string, reason: string): Failure {
  return new Failure("socket-not-ours", `The runtime folder ${dir} is not private: ${reason}.`);
}

function userId(): number {
  return process.getuid?.() ?? 0;
}
