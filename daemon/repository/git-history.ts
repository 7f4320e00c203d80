import { runGit } from "./git-command.ts";

/** Enough to tell what is being worked on from what rests; files beyond it count as resting. */
const maxCommits = 1_000;
const timeMark = "\x01";

export interface GitHistory {
  /** The commit that it was read from; "" in a repository without one. */
  readonly head: string;
  /** Path (relative to the scan's root) to the time of its last commit, in seconds since 1970. */
  readonly changedAtSeconds: ReadonlyMap<string, number>;
}

/**
 * When each file was last committed, in one pass over the newest commits.
 *
 * @param known an earlier result, returned as it is while HEAD stands still
 */
export async function readGitHistory(root: string, known?: GitHistory, signal?: AbortSignal): Promise<GitHistory> {
  const head = (await runGit(root, ["rev-parse", "--verify", "--quiet", "HEAD"], signal))?.trim() ?? "";
  if (known !== undefined && known.head === head) return known;
  const changedAtSeconds = new Map<string, number>();
  if (head === "") return { head, changedAtSeconds };
  const log = await runGit(
    root,
    ["log", `--max-count=${maxCommits}`, `--format=${timeMark}%ct`, "--name-only", "--no-renames", "--relative", head],
    signal,
  );
  let committedAtSeconds = 0;
  for (const line of (log ?? "").split("\n")) {
    if (line.startsWith(timeMark)) committedAtSeconds = Number(line.slice(timeMark.length));
    else if (line !== "" && !changedAtSeconds.has(line)) changedAtSeconds.set(line, committedAtSeconds);
  }
  return { head, changedAtSeconds };
}
