/** The real editor's server on a port of its own, with a clean profile and daemon folders that nobody else uses. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import type { StatusResult } from "../../daemon/protocol/status.ts";

export interface EditorServer {
  readonly port: number;
  /** The profile, and what the editor and the daemon write: gone after `stop`. */
  readonly folder: string;
  /** Of the daemon that this editor starts. */
  readonly env: Readonly<Record<string, string>>;
  /** What the command-line client of the same version says of that daemon. */
  daemonStatus(): StatusResult;
  /** The engine's process, to hold still while a test looks at what is under way, however fast the machine. */
  engine(): { pause(): void; resume(): void };
  stop(): Promise<void>;
}

export interface ServerOptions {
  /** Installed into the profile first. */
  readonly vsix?: string;
  /** Whether the editor asks if a folder is to be trusted. */
  readonly trust?: boolean;
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Of the machine: models and programs can be named there only. */
  readonly machine?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string>>;
}

const quietSettings = {
  "workbench.startupEditor": "none",
  "workbench.tips.enabled": false,
  "telemetry.telemetryLevel": "off",
  "extensions.autoCheckUpdates": false,
  "extensions.ignoreRecommendations": true,
  "git.openRepositoryInParentFolders": "never",
  "security.workspace.trust.startupPrompt": "never",
  "files.simpleDialog.enable": true,
  // The browser's editor saves by itself unless it is told not to.
  "files.autoSave": "off",
  "workbench.secondarySideBar.defaultVisibility": "hidden",
};

export async function startServer({ vsix, trust, settings, machine, env }: ServerOptions): Promise<EditorServer> {
  const { node, server } = setup();
  const folder = mkdtempSync(path.join(tmpdir(), "ls-editor-"));
  const data = path.join(folder, "data");
  const extensions = path.join(folder, "extensions");
  mkdirSync(path.join(data, "data/User"), { recursive: true });
  writeFileSync(path.join(data, "data/User/settings.json"), JSON.stringify({ ...quietSettings, ...settings }));
  mkdirSync(path.join(data, "data/Machine"));
  writeFileSync(path.join(data, "data/Machine/settings.json"), JSON.stringify(machine ?? {}));
  const daemonEnv = {
    LONGSIGHT_RUNTIME_DIR: path.join(folder, "run"),
    LONGSIGHT_CACHE_DIR: path.join(folder, "cache"),
    ...env,
  };
  const places = ["--server-data-dir", data, "--extensions-dir", extensions];
  const options = { env: { ...process.env, ...daemonEnv }, cwd: folder };
  if (vsix !== undefined) execFileSync(node, [server, "--install-extension", vsix, ...places], options);
  const port = await freePort();
  const args = [server, "--host", "127.0.0.1", "--port", port.toString(), "--without-connection-token", ...places];
  args.push("--accept-server-license-terms", "--enable-smoke-test-driver", "--disable-telemetry");
  if (trust !== true) args.push("--disable-workspace-trust");
  const child = spawn(node, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
  await listening(child);
  const daemonStatus = (): StatusResult => JSON.parse(runProgram(["status", "--json"], daemonEnv)) as StatusResult;
  return {
    port,
    folder,
    env: daemonEnv,
    daemonStatus,
    engine: () => {
      const { pid } = daemonStatus();
      const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").map(Number);
      const signal = (name: NodeJS.Signals): void => {
        for (const child of children) process.kill(child, name);
      };
      return { pause: () => signal("SIGSTOP"), resume: () => signal("SIGCONT") };
    },
    stop: async () => {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill();
      await ended;
      runProgram(["stop"], daemonEnv); // it outlives the editor, as it should; not the test
      rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    },
  };
}

/** The command-line client; its output. */
function runProgram(args: readonly string[], env: Readonly<Record<string, string>>): string {
  const program = path.join(repositoryRoot, "dist/longsight.js");
  return execFileSync(process.execPath, [program, ...args], {
    env: { ...process.env, ...env },
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
}

export const repositoryRoot = path.join(import.meta.dirname, "../..");
export const anyPackage = path.join(repositoryRoot, "dist/longsight.vsix");
export const linuxPackage = path.join(repositoryRoot, "dist/longsight-linux-x64.vsix");

interface EditorSetup {
  readonly node: string;
  readonly server: string;
  readonly chromiumPath: string;
}

/** What scripts/test-editor.mjs found and hands on. */
export function setup(): EditorSetup {
  const found = process.env["LONGSIGHT_EDITOR_SETUP"];
  if (found === undefined) throw new Error("Run these tests with `npm run test:editor`: it sets up the editor.");
  return JSON.parse(found) as EditorSetup;
}

function listening(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let output = "";
    const onData = (data: Buffer): void => {
      output += data.toString();
      if (output.includes("Extension host agent started")) resolve();
    };
    child.stdout?.on("data", onData);
    child.stderr?.on("data", onData);
    child.once("exit", (code) => reject(new Error(`the editor's server ended (${code}):\n${output}`)));
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as net.AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
