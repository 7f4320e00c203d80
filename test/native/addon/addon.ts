/** The built addon, and what several tests need around it. */
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import type { Addon, NativeKv, NativeModel } from "../../../native/addon.d.ts";

export const addonPath = fileURLToPath(new URL("../../../build/Release/longsight.node", import.meta.url));
export const addon = createRequire(import.meta.url)(addonPath) as Addon;

export const goldenDir = (name: string): string => fileURLToPath(new URL(`../../golden/${name}`, import.meta.url));

export const newFlag = (): Int32Array => new Int32Array(new SharedArrayBuffer(4));

export const dense = { mode: "dense", patterns: "", recallFloor: 1, scoreFrom: 0, kv: "" } as const;

/** Prefill that nobody watches or cancels. */
export async function prefill(model: NativeModel, base: NativeKv, tokens: Uint32Array, chunk = 64): Promise<NativeKv> {
  const { kv } = await model.prefill(base, tokens, chunk, newFlag(), () => undefined, dense);
  return kv;
}
