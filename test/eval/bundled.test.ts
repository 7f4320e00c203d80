import path from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { Evaluation, startService } from "./evaluate.ts";
import { heldOutPackages } from "../../daemon/eval/held-out.ts";
import { Random } from "../../daemon/eval/random.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

test("the bundled model finds definitions in a package that it never saw, and tells absent names", async () => {
  const heldOut = heldOutPackages.find(({ name }) => name === "tar");
  if (!heldOut) throw new Error("tar is not among the held-out packages");
  const model = path.join(root, "models", "bundled");
  const service = startService(root, model);
  const misses: string[] = [];
  try {
    const evaluation = new Evaluation(root, service, model, (line) => misses.push(line));
    const row = await evaluation.evaluate(heldOut, 8192, { definitions: 20, absent: 8 }, new Random(42));
    expect(row?.definitions.asked).toBe(20);
    expect(row?.definitions.right, misses.join("\n")).toBeGreaterThanOrEqual(17);
    expect(row?.absent.right, misses.join("\n")).toBeGreaterThanOrEqual(7);
  } finally {
    await service.close();
  }
}, 300_000);
