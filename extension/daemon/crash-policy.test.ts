import { describe, expect, it } from "vitest";
import { CrashPolicy, crashLimits } from "./crash-policy.ts";

describe("the crash policy", () => {
  it("asks at the fifth end within three minutes", () => {
    let now = 0;
    const policy = new CrashPolicy(() => now);
    const answers = [0, 30, 60, 90, 120].map((seconds) => {
      now = seconds * 1000;
      return policy.ended();
    });
    expect(answers).toEqual(["again", "again", "again", "again", "ask"]);
  });

  it("forgets ends that lie outside the window", () => {
    let now = 0;
    const policy = new CrashPolicy(() => now);
    for (let end = 0; end < 12; end++) {
      now = (end * crashLimits.windowMs) / (crashLimits.count - 1);
      expect(policy.ended()).toBe("again");
    }
  });

  it("starts anew when a person starts the daemon", () => {
    const policy = new CrashPolicy(() => 0);
    for (let end = 0; end < 4; end++) policy.ended();
    policy.forget();
    expect(policy.ended()).toBe("again");
  });
});
