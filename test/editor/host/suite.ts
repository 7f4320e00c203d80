/** Runs in the extension host, in the editor: `run` is what the editor calls, and its rejection is a failed run. */
import { lifeTests } from "./life.ts";
import { startTests } from "./start.ts";

export type HostTests = Readonly<Record<string, () => Promise<void>>>;

/** What the harness reads from the editor's log: one line per test. */
export async function run(): Promise<void> {
  const only = process.env["LONGSIGHT_HOST_TESTS"] ?? "";
  const groups: Record<string, HostTests> = { start: startTests, life: lifeTests };
  let failed = 0;
  for (const [name, test] of Object.entries(groups[only] ?? {})) {
    try {
      await test();
      console.log(`host-test ok ${name}`);
    } catch (thrown) {
      failed++;
      const text = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
      console.log(`host-test failed ${name}: ${text.replaceAll("\n", " | ")}`);
    }
  }
  console.log("host-test end");
  if (failed > 0) throw new Error(`${failed} tests failed`);
}
