/** Real folders and real git repositories to scan, each gone with its test. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { onTestFinished } from "vitest";

export function temporaryFolder(files: Readonly<Record<string, string | Buffer>> = {}): string {
  const folder = realpathSync(mkdtempSync(path.join(tmpdir(), "longsight-scan-")));
  onTestFinished(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  writeFiles(folder, files);
  return folder;
}

export function writeFiles(folder: string, files: Readonly<Record<string, string | Buffer>>): void {
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(folder, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, content);
  }
}

/** As if the file had been left alone for an hour: a scan trusts its times then. */
export function age(folder: string, ...names: string[]): void {
  const then = Date.now() / 1000 - 3600;
  for (const name of names) utimesSync(path.join(folder, name), then, then);
}

export function git(folder: string, ...args: string[]): string {
  const identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"];
  return execFileSync("git", [...identity, ...args], {
    cwd: folder,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** Commits everything as of a point in time, in seconds since 1970. */
export function commitAll(folder: string, atSeconds = 1_700_000_000): void {
  git(folder, "add", "-A");
  const date = `${atSeconds.toString()} +0000`;
  const env = { ...process.env, GIT_AUTHOR_DATE: date, GIT_COMMITTER_DATE: date };
  const identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"];
  execFileSync("git", [...identity, "commit", "-q", "-m", "change"], { cwd: folder, env, stdio: "ignore" });
}

export function gitRepository(files: Readonly<Record<string, string | Buffer>>): string {
  const folder = temporaryFolder(files);
  git(folder, "init", "-q");
  commitAll(folder);
  return folder;
}
