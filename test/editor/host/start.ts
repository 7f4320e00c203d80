/** Before and after the daemon is up: activation, commands, settings, the tool, the model. */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import path from "node:path";
import * as vscode from "vscode";
import { daemonPid, debugInformation, longsight, until } from "./extension.ts";
import type { HostTests } from "./suite.ts";

export const startTests: HostTests = {
  "activation is quick, which is told, and starts nothing": async () => {
    const { activationMs, state, context } = await longsight();
    const extension = vscode.extensions.getExtension("longsight.longsight");
    assert(extension);
    // The module's own code runs once more, as the editor ran it before it called `activate`.
    const program = createRequire(path.join(extension.extensionPath, "package.json"));
    const file = program.resolve("./dist/extension.cjs");
    const started = performance.now();
    Reflect.deleteProperty(program.cache, file);
    program(file);
    const loadMs = performance.now() - started;
    console.log(`host-test note loading took ${loadMs.toFixed(0)} ms, activation ${activationMs.toFixed(1)} ms`);
    assert.deepEqual([state().kind, context()], ["off", null]);
  },

  "every command of the manifest is there": async () => {
    const manifest = vscode.extensions.getExtension("longsight.longsight")?.packageJSON as {
      contributes: { commands: { command: string }[] };
    };
    const registered = new Set(await vscode.commands.getCommands(true));
    const named = manifest.contributes.commands.map(({ command }) => command);
    assert(named.length > 15);
    assert.deepEqual(
      named.filter((command) => !registered.has(command)),
      [],
    );
  },

  "commands do no harm while the daemon is down": async () => {
    await vscode.commands.executeCommand("longsight.stopAnswer");
    await vscode.commands.executeCommand("longsight.stopSummaries");
    await vscode.commands.executeCommand("longsight.newConversation");
    // These show a message, whose promise ends when a person closes it: not awaited.
    void vscode.commands.executeCommand("longsight.stopDaemon");
    void vscode.commands.executeCommand("longsight.clearCache");
    const { daemon, bridge, settings } = await debugInformation();
    assert.equal(daemon.kind, "off");
    assert.match(bridge, /longsight\.js on /);
    assert.equal(settings["prefill"], "auto");
  },

  "settings have their defaults and scopes": async () => {
    const settings = vscode.workspace.getConfiguration("longsight");
    const defaults = [
      "model",
      "contextTokens",
      "answerTokens",
      "prefill",
      "evidence",
      "hover",
      "codeLens",
      "nodePath",
      "programPath",
    ].map((name) => settings.inspect(name)?.defaultValue);
    assert.deepEqual(defaults, ["", null, null, "auto", true, false, false, "", ""]);
    // A machine's setting cannot come from a folder.
    await assert.rejects(async () => settings.update("programPath", "/bin/true", vscode.ConfigurationTarget.Workspace));
  },

  "a question starts the daemon and is answered": async () => {
    const { ask, state, context } = await longsight();
    const record = await ask("where is connectOrSpawn defined?");
    assert.equal(record.citations[0]?.path, "socket/connect-or-spawn.ts");
    assert.equal(state().kind, "running");
    assert(record.evidence, "evidence is on by default");
    assert.equal(record.evidence.files[0]?.path, "socket/connect-or-spawn.ts");
    assert((await daemonPid()) > 0);
    await vscode.commands.executeCommand("longsight.startDaemon");
    assert((context()?.files.length ?? 0) > 20);
  },

  "commands do their work while the daemon is up": async () => {
    const { context, state } = await longsight();
    const held = (): number => context()?.budget.heldTokens ?? -1;
    await vscode.commands.executeCommand("longsight.clearCache");
    await until("nothing is held", () => held() === 0);
    await vscode.commands.executeCommand("longsight.readRepository");
    await until("all is held", () => held() > 10_000 && held() === context()?.budget.usedTokens);
    await vscode.commands.executeCommand("longsight.resetFileChoices");
    await vscode.commands.executeCommand("longsight.showContextMap");
    const { daemon } = await debugInformation();
    assert.equal(daemon.kind, "running");
    const before = await daemonPid();
    await vscode.commands.executeCommand("longsight.restartDaemon");
    assert.notEqual(await daemonPid(), before);
    await vscode.commands.executeCommand("longsight.stopDaemon");
    assert.equal(state().kind, "off");
  },

  "a setting changes the context": async () => {
    const { ask } = await longsight();
    const settings = vscode.workspace.getConfiguration("longsight");
    await settings.update("contextTokens", 8192, vscode.ConfigurationTarget.Workspace);
    const { context } = await ask("where is dial defined?");
    await settings.update("contextTokens", undefined, vscode.ConfigurationTarget.Workspace);
    assert(context.tokens < 8192, `${context.tokens}`);
    assert(context.leftOut.some(({ reason }) => reason === "budget"));
  },

  "the language-model tool is listed and answers": async () => {
    const tool = vscode.lm.tools.find(({ name }) => name === "longsight_ask");
    assert(tool, "not listed");
    const input = { question: "where is listenOnce defined?" };
    const { content } = await vscode.lm.invokeTool("longsight_ask", { input, toolInvocationToken: undefined });
    const [part] = content;
    assert(part instanceof vscode.LanguageModelTextPart);
    assert.match(part.value, /socket\/listen\.ts:\d+ \(checked against the file\)/);
  },

  "the local model is listed and answers": async () => {
    const [model] = await vscode.lm.selectChatModels({ vendor: "longsight" });
    assert(model, "not listed");
    const question = vscode.LanguageModelChatMessage.User("where is dial defined?");
    const { text } = await model.sendRequest([question], {});
    let answer = "";
    for await (const piece of text) answer += piece;
    assert.match(answer, /socket\/dial\.ts:\d+/);
  },

  "hover and code lens are silent until they are wanted": async () => {
    const [uri] = await vscode.workspace.findFiles("socket/dial.ts");
    assert(uri);
    await vscode.window.showTextDocument(uri);
    const ours = async (): Promise<number> => {
      const lenses = await vscode.commands.executeCommand<vscode.CodeLens[]>("vscode.executeCodeLensProvider", uri);
      return lenses.filter(({ command }) => command?.command === "longsight.askRepository").length;
    };
    assert.equal(await ours(), 0);
    const settings = vscode.workspace.getConfiguration("longsight");
    await settings.update("codeLens", true, vscode.ConfigurationTarget.Workspace);
    assert((await ours()) > 0);
    await settings.update("codeLens", undefined, vscode.ConfigurationTarget.Workspace);
  },

  "the evidence of ten definition questions has the defining file first in at least eight": async () => {
    const { ask } = await longsight();
    const definitions = {
      connectOrSpawn: "socket/connect-or-spawn.ts",
      connectIfRunning: "socket/connect-or-spawn.ts",
      logFilePath: "socket/connect-or-spawn.ts",
      listenOnce: "socket/listen.ts",
      ensureRuntimeDir: "socket/runtime-dir.ts",
      runtimeDirPath: "socket/runtime-dir.ts",
      socketPath: "socket/address.ts",
      allSocketPaths: "socket/address.ts",
      withStartClaim: "socket/start-claim.ts",
      toFailure: "failure/failure.ts",
    };
    const missed: string[] = [];
    for (const [name, file] of Object.entries(definitions)) {
      const { evidence } = await ask(`where is ${name} defined?`);
      if (evidence?.files[0]?.path !== file) missed.push(`${name}: ${evidence?.files[0]?.path}`);
    }
    assert(missed.length <= 2, missed.join(", "));
  },
};
