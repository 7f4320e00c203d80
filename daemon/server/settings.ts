/** What the environment sets. A value that cannot be read is an error, never a silent default. */
import os from "node:os";
import path from "node:path";
import { Failure } from "../failure/failure.ts";
import { deviceName, type DeviceName } from "../protocol/device.ts";
import type { KvChoice, WeightType } from "../engine/engine.ts";
import { defaultIdleTimes, type IdleTimes } from "./idle-watch.ts";

export interface Settings {
  readonly idle: IdleTimes;
  /** Where model folders lie; the bundled one among them. */
  readonly modelsDir: string;
  readonly defaultModel: string;
  /** Tokens by content hash. */
  readonly cacheDir: string;
  readonly device: DeviceName;
  /** 0: all cores. */
  readonly threads: number;
  /** What keys and values may be kept in. */
  readonly kv: KvChoice;
  /** How much of them may lie in the machine's memory for want of room on a GPU. */
  readonly hostKvBytes: number;
  /** What the weights of linear layers are kept in. */
  readonly weights: WeightType;
}

export function readSettings(env: NodeJS.ProcessEnv, packageRoot: string): Settings {
  const modelsDir = path.join(packageRoot, "models");
  const cacheHome = env["XDG_CACHE_HOME"] ?? path.join(os.homedir(), ".cache");
  return {
    idle: {
      freeEngineMs: seconds(env, "LONGSIGHT_IDLE_FREE_SECONDS") ?? defaultIdleTimes.freeEngineMs,
      exitMs: seconds(env, "LONGSIGHT_IDLE_EXIT_SECONDS") ?? defaultIdleTimes.exitMs,
    },
    modelsDir,
    defaultModel: path.resolve(env["LONGSIGHT_MODEL"] ?? path.join(modelsDir, "bundled")),
    cacheDir: path.resolve(env["LONGSIGHT_CACHE_DIR"] ?? path.join(cacheHome, "longsight")),
    device: device(env["LONGSIGHT_DEVICE"]),
    threads: number(env, "LONGSIGHT_THREADS", /^\d{1,4}$/) ?? 0,
    kv: kv(env["LONGSIGHT_KV"]),
    hostKvBytes: gibibytes(env, "LONGSIGHT_HOST_KV_GIB") ?? Math.floor(os.totalmem() / 2),
    weights: weights(env["LONGSIGHT_WEIGHTS"]),
  };
}

function seconds(env: NodeJS.ProcessEnv, name: string): number | undefined {
  const value = number(env, name, /^\d{1,9}(\.\d{1,3})?$/);
  return value === undefined ? undefined : value * 1000;
}

function gibibytes(env: NodeJS.ProcessEnv, name: string): number | undefined {
  const value = number(env, name, /^\d{1,6}(\.\d{1,3})?$/);
  return value === undefined ? undefined : Math.floor(value * 1024 ** 3);
}

function number(env: NodeJS.ProcessEnv, name: string, pattern: RegExp): number | undefined {
  const text = env[name];
  if (text === undefined || text === "") return undefined;
  if (!pattern.test(text))
    throw new Failure("invalid-argument", `${name}=${text} is not a number in the allowed range.`);
  return Number(text);
}

function kv(text: string | undefined): Settings["kv"] {
  if (text === undefined || text === "") return "auto";
  if (text === "auto" || text === "bf16" || text === "fp8") return text;
  throw new Failure("invalid-argument", `LONGSIGHT_KV=${text} is none of auto, bf16, fp8.`);
}

function weights(text: string | undefined): WeightType {
  if (text === undefined || text === "" || text === "bf16") return "bf16";
  if (text === "fp8") return text;
  throw new Failure("invalid-argument", `LONGSIGHT_WEIGHTS=${text} is neither bf16 nor fp8.`);
}

function device(text: string | undefined): DeviceName {
  if (text === undefined || text === "") return "auto";
  const name = deviceName(text);
  if (name !== undefined) return name;
  throw new Failure("invalid-argument", `LONGSIGHT_DEVICE=${text} is none of auto, cpu, cuda, cuda:N.`);
}
