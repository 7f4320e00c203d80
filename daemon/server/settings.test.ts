import { describe, expect, it } from "vitest";
import { readSettings } from "./settings.ts";

describe("the environment's settings", () => {
  it("name the device and what keys and values are kept in", () => {
    expect(readSettings({}, "/p")).toMatchObject({ device: "auto", kv: "auto", threads: 0 });
    expect(readSettings({ LONGSIGHT_HOST_KV_GIB: "1.5" }, "/p").hostKvBytes).toBe(1.5 * 1024 ** 3);
    const env = { LONGSIGHT_DEVICE: "cuda:1", LONGSIGHT_KV: "fp8" };
    expect(readSettings(env, "/p")).toMatchObject({ device: "cuda:1", kv: "fp8" });
  });

  it.each([
    ["LONGSIGHT_DEVICE", "gpu", /none of auto, cpu, cuda, cuda:N/],
    ["LONGSIGHT_DEVICE", "cuda:x", /none of auto/],
    ["LONGSIGHT_HOST_KV_GIB", "-1", /not a number in the allowed range/],
    ["LONGSIGHT_KV", "int4", /none of auto, bf16, fp8/],
  ])("refuse %s=%s", (name, value, message) => {
    expect(() => readSettings({ [name]: value }, "/p")).toThrow(message);
  });
});
