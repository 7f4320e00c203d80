/** A real small repository: rooms of this project, copied into a git repository of their own. */
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { repositoryRoot } from "./server.ts";

const rooms = ["daemon/socket", "daemon/failure", "daemon/protocol"];

export function sampleRepository(): string {
  const folder = path.join(mkdtempSync(path.join(tmpdir(), "ls-sample-")), "sample");
  for (const room of rooms) {
    const to = path.join(folder, room.replace(/^daemon\//, ""));
    cpSync(path.join(repositoryRoot, room), to, { recursive: true, filter: (file) => !file.endsWith(".test.ts") });
  }
  writeFileSync(path.join(folder, "README.md"), "# Sample\n\nScans folders and serves them on a private socket.\n");
  writeFileSync(path.join(folder, ".env"), "TOKEN=not-for-models\n");
  const git = (...args: string[]): void => {
    execFileSync("git", ["-c", "user.name=sample", "-c", "user.email=sample@example.org", ...args], { cwd: folder });
  };
  git("init", "-q", "-b", "main");
  git("add", "-A");
  git("commit", "-q", "-m", "sample");
  return folder;
}
