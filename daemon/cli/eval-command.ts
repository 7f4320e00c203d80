/** `longsight eval`: a process of its own, with an engine of its own, so that a daemon's contexts stay as they are. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Failure } from "../failure/failure.ts";

const program = fileURLToPath(new URL("eval.js", import.meta.url));

/** Its exit code becomes ours. */
export async function evalCommand(args: readonly string[]): Promise<void> {
  // Ctrl-C reaches both: the evaluation prints what it has, and we wait for that.
  const ignore = (): void => undefined;
  process.on("SIGINT", ignore);
  try {
    process.exitCode = await new Promise<number>((resolve, reject) => {
      const child = spawn(process.execPath, ["--enable-source-maps", program, ...args], { stdio: "inherit" });
      child.once("error", (error) => {
        reject(new Failure("internal", `The evaluation cannot be started: ${error.message}`, { cause: error }));
      });
      child.once("close", (code) => {
        resolve(code ?? 70);
      });
    });
  } finally {
    process.off("SIGINT", ignore);
  }
}
