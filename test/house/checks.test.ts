import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";

// Each check of scripts/ is pointed at a small tree that breaks its rules.
const scripts = fileURLToPath(new URL("../../scripts", import.meta.url));
const trees: string[] = [];
// In halves, so that the check does not find them here.
const unfinished = ["TO", "DO"].join("");
const exception = ["eslint", "disable-next-line"].join("-");

afterEach(() => {
  for (const tree of trees.splice(0)) rmSync(tree, { recursive: true, force: true });
});

function check(script: string, files: Record<string, string>): { status: number | null; lines: string[] } {
  const tree = mkdtempSync(path.join(tmpdir(), "longsight-checks-"));
  trees.push(tree);
  spawnSync("git", ["init", "-q", tree]);
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(path.join(tree, path.dirname(file)), { recursive: true });
    writeFileSync(path.join(tree, file), text);
  }
  const { status, stderr } = spawnSync(process.execPath, [path.join(scripts, script)], {
    encoding: "utf8",
    env: { ...process.env, LONGSIGHT_CHECK_ROOT: tree },
  });
  return { status, lines: stderr.split("\n").filter((line) => line !== "") };
}

describe("cpp-walls", () => {
  const kernels = { "kernels/cpu/kernels.h": "", "kernels/reference/softmax.h": "", "native/engine/decoder.h": "" };

  it("passes what the walls allow", () => {
    const { status, lines } = check("cpp-walls.mjs", {
      ...kernels,
      "native/engine/cpu_backend.cpp": '#include "cpu/kernels.h"\n#include "engine/decoder.h"\n',
      "native/src/addon.cpp": '#include "engine/decoder.h"\n',
      "test/native/softmax_test.cpp": '#include "cpu/kernels.h"\n#include "reference/softmax.h"\n',
    });
    expect(lines).toEqual([]);
    expect(status).toBe(0);
  });

  it("keeps the oracle apart from what it judges", () => {
    const { status, lines } = check("cpp-walls.mjs", {
      ...kernels,
      "kernels/reference/softmax.cpp": '#include "softmax.h"\n#include "../cpu/kernels.h"\n',
    });
    expect(lines).toEqual(["kernels/reference/softmax.cpp:2: kernels/reference may not include kernels/cpu/kernels.h"]);
    expect(status).toBe(1);
  });

  it("lets a backend's own files of the engine know its kernels", () => {
    const { status, lines } = check("cpp-walls.mjs", {
      ...kernels,
      "native/engine/cpu_backend.cpp": '#include "cpu/kernels.h"\n',
      "native/engine/cuda_backend.cpp": '#include "cpu/kernels.h"\n',
      "native/engine/decoder.cpp": '#include "engine/decoder.h"\n#include "cpu/kernels.h"\n',
    });
    expect(lines).toEqual([
      "native/engine/cuda_backend.cpp:1: only native/engine/cpu_* may include kernels/cpu/kernels.h",
      "native/engine/decoder.cpp:2: only native/engine/cpu_* may include kernels/cpu/kernels.h",
    ]);
    expect(status).toBe(1);
  });

  it("wants to know where every quoted include leads", () => {
    const { lines } = check("cpp-walls.mjs", { "native/src/addon.cpp": '#include <napi.h>\n#include "gone.h"\n' });
    expect(lines).toEqual([
      'native/src/addon.cpp:2: "gone.h" is no file of ours: use <gone.h>, or name its folder in cpp-walls.mjs',
    ]);
  });

  it("keeps kernels out of the addon", () => {
    const { lines } = check("cpp-walls.mjs", { ...kernels, "native/src/addon.cpp": '#include "cpu/kernels.h"\n' });
    expect(lines).toEqual(["native/src/addon.cpp:1: native/src may not include kernels/cpu/kernels.h"]);
  });
});

describe("source-rules", () => {
  it("names long files, unfinished work, catch-all names and unexplained exceptions", () => {
    const { status, lines } = check("source-rules.mjs", {
      "daemon/long.ts": "\n".repeat(401),
      "daemon/later.ts": `// ${unfinished} later\n`,
      "daemon/path-helpers.ts": "",
      "daemon/quiet.ts": `// ${exception} eqeqeq\n`,
      "daemon/reasoned.ts": `// ${exception} eqeqeq -- null and undefined are one here\n`,
      "daemon/fine.ts": "\n".repeat(400),
    });
    expect(lines.map((line) => line.split(":")[0])).toEqual([
      "daemon/later.ts",
      "daemon/long.ts",
      "daemon/path-helpers.ts",
      "daemon/quiet.ts",
    ]);
    expect(status).toBe(1);
  });
});

describe("docs-truth", () => {
  const tree = {
    "package.json": '{"scripts":{"check":"x"}}',
    "daemon/cli/commands.ts": 'export const commands = ["ask"];\n',
  };

  it("passes what exists", () => {
    const { status, lines } = check("docs-truth.mjs", {
      ...tree,
      "README.md":
        "See `daemon/cli`, [commands](daemon/cli/commands.ts), `npm run check`, `npx longsight ask`, `dist/x.js`.\n",
    });
    expect(lines).toEqual([]);
    expect(status).toBe(0);
  });

  it("names what does not", () => {
    const { status, lines } = check("docs-truth.mjs", {
      ...tree,
      "README.md": "`daemon/gone.ts`\n[x](nowhere.md)\n`npm run gone`\n`npm frobnicate`\n`longsight gone`\n",
    });
    expect(lines).toEqual([
      "README.md:1: no such path: daemon/gone.ts",
      "README.md:2: broken link: nowhere.md",
      "README.md:3: no such npm script: gone",
      "README.md:4: npm frobnicate is not one of ours",
      "README.md:5: no such command: longsight gone",
    ]);
    expect(status).toBe(1);
  });
});
