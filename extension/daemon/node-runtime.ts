/** Which Node runs the bridge, and with it the daemon. */
import { spawnSync } from "node:child_process";

export interface NodeRuntime {
  readonly command: string;
  /** Added to the bridge's environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly origin: "setting" | "editor's node" | "PATH" | "editor";
}

export interface RuntimeSearch {
  /** `longsight.nodePath`; empty when it is not set. */
  readonly setting: string;
  readonly execPath: string;
  /** Set in desktop editors, whose binary is Electron; absent in remote and browser servers, where it is Node itself. */
  readonly electron: string | undefined;
  /** The version that a command answers to `--version` ("v20.17.0"), or null. */
  readonly versionOf: (command: string) => string | null;
}

/** The daemon's `engines.node`. */
const minimum = { major: 20, minor: 17 };

/** Always finds one: a desktop editor's own binary runs as Node when ELECTRON_RUN_AS_NODE is set. */
export function findNode({ setting, execPath, electron, versionOf }: RuntimeSearch): NodeRuntime {
  if (setting !== "") return { command: setting, env: {}, origin: "setting" };
  if (electron === undefined) return { command: execPath, env: {}, origin: "editor's node" };
  if (isRecent(versionOf("node"))) return { command: "node", env: {}, origin: "PATH" };
  return { command: execPath, env: { ELECTRON_RUN_AS_NODE: "1" }, origin: "editor" };
}

function isRecent(version: string | null): boolean {
  const [, major, minor] = /^v(\d+)\.(\d+)\./.exec(version ?? "") ?? [];
  if (major === undefined || minor === undefined) return false;
  return Number(major) > minimum.major || (Number(major) === minimum.major && Number(minor) >= minimum.minor);
}

export function versionOf(command: string): string | null {
  const { status, stdout } = spawnSync(command, ["--version"], { encoding: "utf8", timeout: 5000 });
  return status === 0 ? stdout.trim() : null;
}
