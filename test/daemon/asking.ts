/** A daemon with a tiny model, a repository and clients, made anew for each test of a file. */
import { rmSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, expect } from "vitest";
import type { AskRecord } from "../../daemon/protocol/ask.ts";
import { RawClient, type RpcMessage } from "./raw-client.ts";
import { startTestDaemon, temporaryDir, type TestDaemon, type TestDaemonOptions } from "./test-daemon.ts";
import { bytesOf, writeRepository, writeTinyModel } from "./tiny-model.ts";

export const question = { question: "Where is part003?", contextTokens: 100_000 };

/** Of the scripted engine, and of the configuration that speaks while there is none. */
const scriptedMaxContext = 200_000;

export interface Asking {
  /** A folder of this test's own. */
  readonly dir: string;
  readonly model: string;
  /** 20 files of 1,000 bytes. */
  readonly repository: string;
  readonly daemon: TestDaemon;
  /** Starts the daemon, and gives its first client. The scripted engine answers "an answer" unless told otherwise. */
  start(script?: TestDaemonOptions["script"], options?: TestDaemonOptions): Promise<RawClient>;
  connect(): Promise<RawClient>;
}

/** Registers the set-up and the clean-up of the file that calls it. */
export function setUpAsking(): Asking {
  const clients: RawClient[] = [];
  let dir = "";
  let daemon: TestDaemon | undefined;
  const here = (name: string): string => path.join(dir, name);
  const running = (): TestDaemon => {
    if (!daemon) throw new Error("call start() first");
    return daemon;
  };
  const connect = async (): Promise<RawClient> => {
    const client = await RawClient.ready(running().address, here("repo"));
    clients.push(client);
    return client;
  };

  beforeEach(() => {
    dir = temporaryDir();
    writeTinyModel(here("model"), scriptedMaxContext);
    writeRepository(here("repo"), 20, 1000);
  });

  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await daemon?.remove();
    daemon = undefined;
    rmSync(dir, { recursive: true, force: true });
  });

  return {
    get dir() {
      return dir;
    },
    get model() {
      return here("model");
    },
    get repository() {
      return here("repo");
    },
    get daemon() {
      return running();
    },
    connect,
    start: async (script = {}, options = {}) => {
      const base = { maxContextTokens: scriptedMaxContext, answer: () => bytesOf("an answer"), ...script };
      daemon = await startTestDaemon({ model: here("model"), script: base, ...options });
      return connect();
    },
  };
}

/** The record of a response that is no error. */
export function recordOf(message: RpcMessage): AskRecord {
  expect(message.error).toBeUndefined();
  return message.result as unknown as AskRecord;
}

/** Resolves when the progress under this token has reached this phase. */
export function phase(client: RawClient, token: string, name: string): Promise<RpcMessage> {
  return client.until(({ params }) => {
    const value = params?.value as { longsight?: { phase: string } } | undefined;
    return params?.token === token && value?.longsight?.phase === name;
  });
}
