/**
 * Mutual exclusion between daemons that start at the same time, for the moment in which one looks at the old socket,
 * removes it and binds its own. Node has no flock, so each starter first makes a claim file and then looks for
 * others: of two that overlap, at least the later one sees the earlier one's file and steps back. A claim is named after its
 * process and that process's start time, so that one left by a killed starter is known to be dead, also when its process id
 * has been given out again.
 */
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Failure } from "../failure/failure.ts";

const claimName = /^starting-(\d+)-(\d+)$/;

/** Runs `work` while no other process does so in this folder. Rejects with `already-running` after `timeoutMs`. */
export async function withStartClaim<Result>(
  runtimeDir: string,
  work: () => Promise<Result>,
  timeoutMs = 20_000,
): Promise<Result> {
  const ours = `starting-${process.pid.toString()}-${startTime(process.pid)}`;
  const file = path.join(runtimeDir, ours);
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    writeFileSync(file, "", { mode: 0o600 });
    try {
      if (!otherLiveClaim(runtimeDir, ours)) return await work();
    } finally {
      rmSync(file, { force: true });
    }
    if (Date.now() > deadline) {
      throw new Failure(
        "already-running",
        `Another daemon has been starting in ${runtimeDir} for ${timeoutMs.toString()} ms.`,
      );
    }
    await sleep(10 + Math.random() * 90); // random, so that two which stepped back do not meet again
  }
}

function otherLiveClaim(runtimeDir: string, ours: string): boolean {
  let found = false;
  for (const name of readdirSync(runtimeDir)) {
    const match = claimName.exec(name);
    if (!match || name === ours) continue;
    if (isAlive(Number(match[1]), match[2] ?? "0")) found = true;
    else rmSync(path.join(runtimeDir, name), { force: true });
  }
  return found;
}

function isAlive(pid: number, claimedStart: string): boolean {
  try {
    process.kill(pid, 0);
  } catch (thrown) {
    // EPERM: it lives, as another user's; the folder is ours alone, so the id was given out again.
    return thrown instanceof Error && "code" in thrown && thrown.code !== "ESRCH" && thrown.code !== "EPERM";
  }
  return startTime(pid) === claimedStart;
}

/** In clock ticks since boot on Linux (proc(5), field 22 of stat); "0" elsewhere, where the id alone must do. */
function startTime(pid: number): string {
  if (process.platform !== "linux") return "0";
  try {
    const stat = readFileSync(`/proc/${pid.toString()}/stat`, "latin1");
    // The second field, the program's name, may hold spaces and brackets: count from its end.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "0";
  } catch {
    return "0"; // it has just ended
  }
}
