import { spawn } from "node:child_process";
import { devNull } from "node:os";
import { throwIfCancelled } from "../failure/failure.ts";

/** More output than any listing of `maxFiles` paths gives; beyond it the command is ended and counts as failed. */
const maxOutputBytes = 256 << 20;
const timeoutMs = 60_000;

/**
 * A repository's own configuration may name programs to run. These settings switch off the ones that listing and history
 * would start: the file-system monitor, hooks, signature checks.
 */
const safeConfig = [
  "core.fsmonitor=false",
  `core.hooksPath=${devNull}`,
  "log.showSignature=false",
  "core.quotePath=false",
  "diff.renames=false",
].flatMap((setting) => ["-c", setting]);

/**
 * Runs git below `root` without locks, prompts, network (a partial clone would fetch what it lacks) or the caller's
 * GIT_DIR and kin.
 *
 * @returns what it printed, or null when git is missing, refuses, or takes too long
 * @throws Failure `cancelled` when the signal fires
 */
export async function runGit(root: string, args: readonly string[], signal?: AbortSignal): Promise<string | null> {
  if (signal) throwIfCancelled(signal);
  const child = spawn("git", ["--no-pager", ...safeConfig, ...args], {
    cwd: root,
    env: gitEnvironment(),
    stdio: ["ignore", "pipe", "ignore"],
    timeout: timeoutMs,
    killSignal: "SIGKILL",
    windowsHide: true,
    ...(signal ? { signal } : {}),
  });
  const output = await new Promise<string | null>((resolve) => {
    const chunks: Buffer[] = [];
    let sizeBytes = 0;
    child.stdout.on("data", (chunk: Buffer) => {
      sizeBytes += chunk.length;
      if (sizeBytes > maxOutputBytes) child.kill("SIGKILL");
      else chunks.push(chunk);
    });
    // Missing git and an aborted signal come as "error"; "close" need not follow then.
    child.on("error", () => resolve(null));
    child.on("close", (code) => resolve(code === 0 ? Buffer.concat(chunks).toString("utf8") : null));
  });
  if (signal) throwIfCancelled(signal);
  return output;
}

function gitEnvironment(): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("GIT_"));
  return {
    ...Object.fromEntries(inherited),
    GIT_OPTIONAL_LOCKS: "0",
    GIT_TERMINAL_PROMPT: "0",
    GIT_NO_LAZY_FETCH: "1",
    // An empty list allows no transport at all; older versions do not know GIT_NO_LAZY_FETCH.
    GIT_ALLOW_PROTOCOL: "",
    LC_ALL: "C",
  };
}
