/** A GPU that fails for good, under a daemon whose engines are real processes: another process takes over, and everybody hears. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { startNativeEngine } from "../../daemon/engine/native-engine.ts";
import { setUpAsking } from "./asking.ts";
import { type Bundled, bundle } from "./bundled.ts";

const asking = setUpAsking();
let bundled: Bundled;

beforeAll(async () => {
  bundled = await bundle();
});

afterAll(() => {
  bundled.remove();
});

it("costs the question that met it, and the engine's process; the next question has another", async () => {
  const pids: number[] = [];
  const startEngine = () => {
    const engine = startNativeEngine({ workerPath: bundled.scriptedWorker, onLog: () => undefined });
    pids.push(engine.pid ?? 0);
    return engine;
  };
  const client = await asking.start({}, { startEngine });
  const ask = (text: string) =>
    client.request("longsight/ask", { question: text, contextTokens: 100_000, maxTokens: 16 });

  const { error } = await ask("Where is gpuFails?");
  expect(error).toMatchObject({
    code: -33020,
    message: "the GPU failed while computing",
    data: { code: "engine-died", next: expect.stringContaining("Ask again") as string },
  });
  expect(() => process.kill(pids[0] ?? 0, 0)).toThrow(/ESRCH/);
  const lastDeath = "the GPU failed while computing";
  expect((await client.request("longsight/status")).result).toMatchObject({ engine: { state: "stopped", lastDeath } });

  expect((await ask("Where is part003?")).error).toBeUndefined();
  expect(pids).toHaveLength(2);
  expect(process.kill(pids[1] ?? 0, 0)).toBe(true);
  expect((await client.request("longsight/status")).result).toMatchObject({ engine: { state: "ready", lastDeath } });
  const health = client.messages
    .filter(({ method }) => method === "experimental/serverStatus")
    .map(({ params }) => params);
  expect(health.slice(-2)).toMatchObject([
    { health: "warning", message: expect.stringContaining(lastDeath) as string },
    { health: "ok", message: "The engine has been started again." },
  ]);
  const log = asking.daemon.log.join("\n");
  expect(log).toMatch(/died: the GPU failed while computing[^]*another engine with .* has been started/);
});
