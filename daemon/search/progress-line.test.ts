import { expect, it } from "vitest";
import { duration, ProgressLine } from "./progress-line.ts";

it("foresees the rest by the steps that were done here, not by those of an earlier run", () => {
  let now = 0;
  const written: string[] = [];
  const line = new ProgressLine({ steps: 5, terminal: false, write: (text) => written.push(text), now: () => now });
  line.skip();
  line.skip();
  for (const name of ["a", "b", "c"]) {
    line.begin(name);
    now += 30_000;
    line.reached(0.5);
    now += 30_000;
    line.finish();
  }
  expect(written).toEqual(["3 of 5: a, about 2 min 0 s left\n", "4 of 5: b, about 1 min 0 s left\n", "5 of 5: c\n"]);
});

it("changes its line in a terminal, within a step too, but not all the time", () => {
  let now = 0;
  const written: string[] = [];
  const line = new ProgressLine({ steps: 2, terminal: true, write: (text) => written.push(text), now: () => now });
  line.begin("a");
  now += 10;
  line.reached(0.1);
  now += 1000;
  line.reached(0.5);
  expect(written.map((text) => text.slice(4))).toEqual(["0 of 2: a", "1 of 2: a 50 %, about 3 s left"]);
  expect(duration(59_400)).toBe("59 s");
  expect(duration(3_600_000)).toBe("60 min 0 s");
});
