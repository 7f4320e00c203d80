/** Commands that are processes of their own, with an engine of their own, so that a daemon's contexts stay as they are. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Failure } from "../failure/failure.ts";

/** `program` lies beside the CLI. Its exit code becomes ours. */
export async function childCommand(program: string, args: readonly string[]): Promise<void> {
  const file = fileURLToPath(new URL(program, import.meta.url));
  // Ctrl-C reaches both: the child prints what it has, and we wait for that.
  const ignore = (): void => undefined;
  process.on("SIGINT", ignore);
  try {
    process.exitCode = await new Promise<number>((resolve, reject) => {
      const child = spawn(process.execPath, ["--enable-source-maps", file, ...args], { stdio: "inherit" });
      child.once("error", (error) => {
        reject(new Failure("internal", `${file} cannot be started: ${error.message}`, { cause: error }));
      });
      child.once("close", (code) => {
        resolve(code ?? 70);
      });
    });
  } finally {
    process.off("SIGINT", ignore);
  }
}
