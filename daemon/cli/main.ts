/** The `longsight` command. */
import { Failure, toFailure } from "../failure/failure.ts";
import type { DeviceName } from "../protocol/device.ts";
import { errorCatalogue } from "../protocol/errors.ts";
import { productVersion } from "../protocol/version.ts";
import { connectOrSpawn } from "../socket/connect-or-spawn.ts";
import { type Command, readArguments } from "./arguments.ts";
import { askCommand } from "./ask-command.ts";
import { benchCommand } from "./bench-command.ts";
import { childCommand } from "./child-command.ts";
import { DaemonClient } from "./daemon-client.ts";
import { helpText } from "./help.ts";
import { interactive, ReportedFailure } from "./interactive.ts";
import { lspCommand } from "./lsp-command.ts";
import { modelListCommand } from "./models-command.ts";
import { daemonPlace } from "./place.ts";
import { renderFailure } from "./render-failure.ts";
import { statusCommand } from "./status-command.ts";
import { stopCommand } from "./stop-command.ts";
import { summarizeCommand } from "./summarize-command.ts";

async function run(command: Command): Promise<void> {
  switch (command.kind) {
    case "help":
      process.stdout.write(helpText());
      return;
    case "version":
      process.stdout.write(`${productVersion}\n`);
      return;
    case "status":
      return statusCommand(command.json);
    case "stop":
      return stopCommand();
    case "lsp":
      return lspCommand();
    case "model-list":
      return withClient((client) => modelListCommand(client, command.json));
    case "child":
      return childCommand(command.program, command.args);
    case "bench":
      return withClient((client) => benchCommand(client, command), command.device);
    case "summarize":
      return withClient((client) => summarizeCommand(client, command), command.device);
    case "ask": {
      const { question } = command;
      return withClient(
        (client) => (question === null ? interactive(client, command) : askCommand(client, command, question)),
        command.device,
      );
    }
  }
}

/** A daemon computes on the device that it was started with: another one that is asked for is an error, never ignored. */
async function withClient(work: (client: DaemonClient) => Promise<void>, device?: DeviceName): Promise<void> {
  if (device !== undefined) process.env["LONGSIGHT_DEVICE"] = device;
  const client = await DaemonClient.connect(await connectOrSpawn(daemonPlace(process.env)));
  try {
    if (device !== undefined) {
      const running = (await client.status()).device;
      if (running !== device) {
        throw new Failure("already-running", `The running daemon was started with device ${running}, not ${device}.`);
      }
    }
    await work(client);
  } finally {
    client.close();
  }
}

// `longsight ask ... | head` closes the pipe; that is how the reader says "enough".
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  process.exit(error.code === "EPIPE" ? 0 : errorCatalogue.internal.exit);
});

try {
  await run(readArguments(process.argv.slice(2)));
} catch (thrown) {
  const failure = toFailure(thrown);
  if (!(failure instanceof ReportedFailure)) process.stderr.write(renderFailure(failure));
  if (failure.code === "internal" && failure.cause instanceof Error)
    process.stderr.write(`${failure.cause.stack ?? ""}\n`);
  process.exitCode = errorCatalogue[failure.code].exit;
}
