/** The native bench programs: built beside the addon, run as they are. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { Failure } from "../failure/failure.ts";

const suffix = process.platform === "win32" ? ".exe" : "";

/** Null when the program has not been built. */
export function findBenchProgram(packageRoot: string, name: string): string | null {
  const program = path.join(packageRoot, "build", "bin", `${name}${suffix}`);
  return existsSync(program) ? program : null;
}

/** Lets the program write its table to our stdout. */
export async function runBenchTable(program: string): Promise<void> {
  await run(program, [], "inherit");
}

/** The program's JSON object. */
export async function runBenchJson(program: string): Promise<unknown> {
  const text = await run(program, ["--json"], "pipe");
  return JSON.parse(text);
}

function run(program: string, args: readonly string[], stdout: "inherit" | "pipe"): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ["ignore", stdout, "inherit"] });
    let text = "";
    child.stdout?.setEncoding("utf8").on("data", (part: string) => {
      text += part;
    });
    child.once("error", (error) => {
      reject(new Failure("internal", `${program} cannot be run: ${error.message}`, { cause: error }));
    });
    child.once("close", (exitCode, signal) => {
      if (exitCode === 0) resolve(text);
      else if (signal === "SIGINT") reject(new Failure("cancelled", "The measurement was cancelled."));
      else reject(new Failure("internal", `${program} ended with ${signal ?? `exit code ${String(exitCode)}`}.`));
    });
  });
}
