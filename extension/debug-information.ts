/** All that a bug report needs and no text of the repository, as a document that a person can read before sending it. */
import os from "node:os";
import * as vscode from "vscode";
import { modelsRequest, type ModelsResult } from "../daemon/protocol/models.ts";
import { productVersion } from "../daemon/protocol/version.ts";
import type { ContextModel } from "./context/context-model.ts";
import type { Daemon } from "./daemon/daemon.ts";
import { readSettings } from "./settings.ts";

export async function debugInformation(daemon: Daemon, context: ContextModel): Promise<string> {
  await daemon.refreshStatus();
  const running = daemon.state.kind === "running";
  const models = running ? await daemon.request<ModelsResult>(modelsRequest.method, {}).catch(String) : null;
  const result = context.result;
  return JSON.stringify(
    {
      longsight: productVersion,
      editor: { name: vscode.env.appName, version: vscode.version, remote: vscode.env.remoteName ?? null },
      node: process.version,
      machine: { platform: process.platform, arch: process.arch, cpus: os.cpus().length, memoryBytes: os.totalmem() },
      trusted: vscode.workspace.isTrusted,
      bridge: daemon.bridge,
      settings: readSettings(),
      daemon: daemon.state,
      models,
      context: result && {
        budget: result.budget,
        files: result.files.length,
        leftOut: result.leftOutCount,
        changed: result.changes.count,
      },
      contextFailure: context.failure,
    },
    null,
    2,
  );
}
