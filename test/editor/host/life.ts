/** The daemon's life as a window sees it: killed, started, stopped, of another version. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import * as vscode from "vscode";
import { daemonPid, longsight, until } from "./extension.ts";
import type { HostTests } from "./suite.ts";

async function kill(): Promise<void> {
  const { state } = await longsight();
  process.kill(await daemonPid(), "SIGKILL");
  await until("the end is noticed", () => state().kind !== "running");
}

/** Bridges that this extension host has running. */
function bridges(): number {
  const lines = execFileSync("ps", ["-o", "ppid=,args=", "-A"], { encoding: "utf8" }).split("\n");
  return lines.filter((line) => line.trim().startsWith(`${process.pid} `) && / lsp$/.test(line)).length;
}

export const lifeTests: HostTests = {
  "a daemon that dies while it answers is told, and the next question starts another": async () => {
    const { ask, state } = await longsight();
    await vscode.commands.executeCommand("longsight.startDaemon");
    const asked = ask("where is connectOrSpawn defined?");
    const rejected = assert.rejects(asked);
    await kill();
    await rejected;
    assert.equal(state().kind, "lost");
    assert.equal((await ask("where is dial defined?")).citations[0]?.path, "socket/dial.ts");
  },

  "starting and stopping it twenty times leaves nothing behind": async () => {
    const { state } = await longsight();
    await vscode.commands.executeCommand("longsight.restartDaemon");
    const handles = (): number =>
      process.getActiveResourcesInfo().filter((name) => /Pipe|Process|Socket/.test(name)).length;
    const before = handles();
    for (let round = 0; round < 20; round++) {
      await vscode.commands.executeCommand("longsight.stopDaemon");
      assert.equal(state().kind, "off");
      await vscode.commands.executeCommand("longsight.startDaemon");
      assert.equal(state().kind, "running");
    }
    await until("old bridges are gone", () => bridges() === 1);
    await until(`no more handles than ${before}`, () => handles() <= before + 1);
  },

  "after five ends in three minutes it is not started again but by a person": async () => {
    const { ask, state } = await longsight();
    for (let end = 0; end < 5 && state().kind !== "gave-up"; end++) {
      if (state().kind !== "running") await ask("where is dial defined?");
      await kill();
    }
    assert.equal(state().kind, "gave-up");
    await assert.rejects(ask("where is dial defined?"), /ended 5 times in three minutes/);
    await vscode.commands.executeCommand("longsight.startDaemon");
    assert.equal(state().kind, "running");
  },

  "a daemon of another version is named, with what to do": async () => {
    const { ask, state } = await longsight();
    await vscode.commands.executeCommand("longsight.stopDaemon");
    const settings = vscode.workspace.getConfiguration("longsight");
    const old = process.env["LONGSIGHT_OLD_PROGRAM"];
    assert(old);
    await settings.update("programPath", old, vscode.ConfigurationTarget.Global);
    try {
      await assert.rejects(ask("where is dial defined?"), /version/);
      assert.equal(state().kind, "failed");
    } finally {
      await settings.update("programPath", undefined, vscode.ConfigurationTarget.Global);
    }
    assert.equal((await ask("where is dial defined?")).citations[0]?.path, "socket/dial.ts");
  },

  "a program that is not there is named": async () => {
    const { ask } = await longsight();
    await vscode.commands.executeCommand("longsight.stopDaemon");
    const settings = vscode.workspace.getConfiguration("longsight");
    await settings.update("programPath", "/nowhere/longsight", vscode.ConfigurationTarget.Global);
    await assert.rejects(ask("where is dial defined?"), /nowhere/);
    await settings.update("programPath", undefined, vscode.ConfigurationTarget.Global);
  },
};
