/**
 * Starts `longsight lsp`, the bridge between pipes and the daemon's socket. It dials, and starts a daemon when nobody
 * answers; the daemon outlives it.
 */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { findNode, versionOf } from "./node-runtime.ts";

export interface BridgeCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** For people: what is run, and why that. */
  readonly description: string;
}

export interface BridgeChoice {
  /** Where the extension is installed. */
  readonly extensionPath: string;
  /** `longsight.programPath` and `longsight.nodePath`; empty when not set. */
  readonly programPath: string;
  readonly nodePath: string;
}

export function bridgeCommand({ extensionPath, programPath, nodePath }: BridgeChoice): BridgeCommand {
  if (programPath !== "") {
    return { command: programPath, args: ["lsp"], env: {}, description: `${programPath} (longsight.programPath)` };
  }
  const bundled = path.join(extensionPath, "dist", "longsight.js");
  if (!existsSync(bundled)) {
    // The untargeted package brings no daemon.
    return { command: "longsight", args: ["lsp"], env: {}, description: "longsight on the PATH" };
  }
  const node = findNode({
    setting: nodePath,
    execPath: process.execPath,
    electron: process.versions["electron"],
    versionOf,
  });
  return {
    command: node.command,
    args: [bundled, "lsp"],
    env: node.env,
    description: `${bundled} on ${node.command} (${node.origin})`,
  };
}

/** Resolves when the process runs; rejects when there is no such program. */
export function startBridge(
  { command, args, env }: BridgeCommand,
  onLog: (line: string) => void,
): Promise<ChildProcessWithoutNullStreams> {
  const child = spawn(command, args, { env: { ...ownEnvironment(), ...env }, stdio: ["pipe", "pipe", "pipe"] });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    for (const line of text.split("\n")) if (line.trim() !== "") onLog(line);
  });
  return new Promise((resolve, reject) => {
    child.once("spawn", () => {
      resolve(child);
    });
    child.once("error", reject);
  });
}

/** The editor's debugging options are not meant for the daemon, which lives on after the editor. */
function ownEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^(NODE_OPTIONS|VSCODE_|ELECTRON_)/.test(name));
  return Object.fromEntries(kept);
}
