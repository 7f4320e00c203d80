/** The settings, typed. package.json declares them with their scopes; an untrusted folder cannot set paths. */
import * as vscode from "vscode";
import { type PrefillMode, prefillModes } from "../daemon/protocol/prefill.ts";

export interface Settings {
  readonly model: string;
  readonly contextTokens: number | null;
  readonly answerTokens: number | null;
  readonly prefill: PrefillMode;
  readonly evidence: boolean;
  readonly hover: boolean;
  readonly codeLens: boolean;
  readonly nodePath: string;
  readonly programPath: string;
}

/** `scope`: the folder whose settings count. */
export function readSettings(scope?: vscode.Uri): Settings {
  const values = vscode.workspace.getConfiguration("longsight", scope);
  const prefill = values.get<unknown>("prefill");
  return {
    model: text(values, "model"),
    contextTokens: integer(values, "contextTokens"),
    answerTokens: integer(values, "answerTokens"),
    prefill: prefillModes.find((mode) => mode === prefill) ?? "auto",
    evidence: values.get<unknown>("evidence") === true,
    hover: values.get<unknown>("hover") === true,
    codeLens: values.get<unknown>("codeLens") === true,
    nodePath: text(values, "nodePath"),
    programPath: text(values, "programPath"),
  };
}

function integer(values: vscode.WorkspaceConfiguration, name: string): number | null {
  const value = values.get<unknown>(name);
  return typeof value === "number" && Number.isInteger(value) ? value : null;
}

function text(values: vscode.WorkspaceConfiguration, name: string): string {
  const value = values.get<unknown>(name);
  return typeof value === "string" ? value.trim() : "";
}
