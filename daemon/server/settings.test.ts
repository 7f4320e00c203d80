import { describe, expect, it } from "vitest";
import { readSettings } from "./settings.ts";

describe("the environment's settings", () => {
  it("name the device and what keys, values and weights are kept in", () => {
    expect(readSettings({}, "/p")).toMatchObject({ device: "auto", kv: "auto", weights: "bf16", threads: 0 });
    expect(readSettings({ LONGSIGHT_HOST_KV_GIB: "1.5" }, "/p").hostKvBytes).toBe(1.5 * 1024 ** 3);
    const env = { LONGSIGHT_DEVICE: "cuda:1", LONGSIGHT_KV: "fp8" };
    expect(readSettings(env, "/p")).toMatchObject({ device: "cuda:1", kv: "fp8", weights: "bf16" });
    expect(readSettings({ LONGSIGHT_WEIGHTS: "fp8" }, "/p")).toMatchObject({ kv: "auto", weights: "fp8" });
  });

  it.each([
    ["LONGSIGHT_DEVICE", "gpu", /none of auto, cpu, cuda, cuda:N/],
    ["LONGSIGHT_DEVICE", "cuda:x", /none of auto/],
    ["LONGSIGHT_HOST_KV_GIB", "-1", /not a number in the allowed range/],
    ["LONGSIGHT_KV", "int4", /none of auto, bf16, fp8/],
    ["LONGSIGHT_WEIGHTS", "int8", /neither bf16 nor fp8/],
  ])("refuse %s=%s", (name, value, message) => {
    expect(() => readSettings({ [name]: value }, "/p")).toThrow(message);
  });
});
