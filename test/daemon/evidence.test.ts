/** The engine's shares of attention as a client sees them: by file and by lines; a real socket and tokenizer, a scripted engine. */
import { writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { question, recordOf, setUpAsking } from "./asking.ts";

const asking = setUpAsking();

describe("evidence", () => {
  it("names files and lines, the largest share first, and leaves out what is none", async () => {
    let ends: Uint32Array = new Uint32Array();
    const client = await asking.start({
      // The template's opening; 12 % on the first block of the first file, 75 % and 13 % on the last two blocks of all.
      evidence: (given) => {
        ends = given;
        return [...given.keys()].map((at) =>
          at === 1 ? 0.12 : at === given.length - 2 ? 0.75 : at === given.length - 1 ? 0.13 : 0.000001,
        );
      },
    });
    writeFileSync(path.join(asking.repository, "part000.ts"), "");
    const record = recordOf(await client.request("longsight/ask", { ...question, evidence: true }));
    // An empty file has a place of its own, too.
    const { files, blocks, repositoryShare } = record.evidence!;
    expect(files).toEqual([
      { path: "part019.ts", share: 0.88 },
      { path: "part000.ts", share: 0.12 },
    ]);
    expect(blocks.map(({ share }) => share)).toEqual([0.75, 0.13, 0.12]);
    const [most, second, third] = blocks;
    expect(most).toMatchObject({ path: "part019.ts" });
    expect(most!.line % 8).toBe(1);
    expect(most!.endLine).toBe(most!.line + 7);
    expect(second).toMatchObject({ path: "part019.ts", line: most!.endLine + 1 });
    expect(second!.endLine).toBeLessThan(second!.line + 8); // the file ends there
    expect(third).toMatchObject({ path: "part000.ts", line: 1, endLine: 1 });
    expect(repositoryShare).toBe(0.75); // what the scripted engine says
    expect([...ends]).toEqual([...ends].sort((a, b) => a - b));
    expect(ends.at(-1)).toBe(record.context.tokens);
  });

  it("is null where the engine cannot tell, and absent when nobody asks", async () => {
    const client = await asking.start();
    const asked = recordOf(await client.request("longsight/ask", { ...question, evidence: true }));
    expect(asked.evidence).toBeNull();
    expect(recordOf(await client.request("longsight/ask", question))).not.toHaveProperty("evidence");
    const { error } = await client.request("longsight/ask", { ...question, evidence: "yes" });
    expect(error?.data?.code).toBe("invalid-argument");
  });

  it("costs the engine nothing when nobody asks", async () => {
    const seen: number[] = [];
    const client = await asking.start({
      evidence: (ends) => {
        seen.push(ends.length);
        return [...ends].map(() => 0);
      },
    });
    await client.request("longsight/ask", question);
    expect(seen).toEqual([]);
  });
});
