/**
 * `npm run eval:bundled [-- --lengths 8192,32768 --definitions 200 --absent 50 --model DIR --json]`: asks the bundled model
 * where things are defined in packages that it was never trained on, the way a user would, and prints how often file and
 * line were right, and how often a name that is not there was told to be absent.
 */
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Evaluation, type Row, type Score, startService } from "./evaluate.ts";
import { heldOutPackages } from "../../daemon/eval/held-out.ts";
import { Random } from "../../daemon/eval/random.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

const { values } = parseArgs({
  options: {
    lengths: { type: "string", default: "8192" },
    definitions: { type: "string", default: "200" },
    absent: { type: "string", default: "50" },
    model: { type: "string", default: path.join(root, "models", "bundled") },
    seed: { type: "string", default: "1" },
    json: { type: "boolean", default: false },
    verbose: { type: "boolean", default: false },
  },
});

const model = path.resolve(values.model);
const service = startService(root, model);
const evaluation = new Evaluation(root, service, model, (line) => {
  if (values.verbose) process.stderr.write(`${line}\n`);
});

function share(count: number, index: number): number {
  const size = heldOutPackages.length;
  return Math.floor(count / size) + (index < count % size ? 1 : 0);
}

function percent({ asked, right }: Score): string {
  return asked === 0 ? "-" : `${((100 * right) / asked).toFixed(1)} % of ${String(asked)}`;
}

function sum(scores: readonly Score[]): Score {
  return scores.reduce((a, b) => ({ asked: a.asked + b.asked, right: a.right + b.right }), { asked: 0, right: 0 });
}

const rows: Row[] = [];
try {
  for (const length of values.lengths.split(",").map(Number)) {
    for (const [index, heldOut] of heldOutPackages.entries()) {
      const wanted = {
        definitions: share(Number(values.definitions), index),
        absent: share(Number(values.absent), index),
      };
      const random = new Random(Number(values.seed) * 1000 + index + length);
      const row = await evaluation.evaluate(heldOut, length, wanted, random);
      if (row !== null) rows.push(row);
    }
  }
} finally {
  await service.close();
}
if (values.json) {
  process.stdout.write(`${JSON.stringify({ model: path.basename(model), rows })}\n`);
} else {
  const lines = [
    "| context | package | file and line | file | absent told | near miss told or marked | seconds |",
    "|---|---|---|---|---|---|---|",
  ];
  for (const length of new Set(rows.map((row) => row.contextTokens))) {
    const group = rows.filter((row) => row.contextTokens === length);
    const all: Row = {
      contextTokens: length,
      package: "all",
      definitions: sum(group.map((row) => row.definitions)),
      files: sum(group.map((row) => row.files)),
      absent: sum(group.map((row) => row.absent)),
      nearMisses: sum(group.map((row) => row.nearMisses)),
      seconds: group.reduce((total, row) => total + row.seconds, 0),
    };
    for (const row of [...group, all]) {
      const cells = [
        percent(row.definitions),
        percent(row.files),
        percent(row.absent),
        percent(row.nearMisses),
        row.seconds.toFixed(0),
      ];
      lines.push(`| ${length.toLocaleString("en-US")} | ${row.package} | ${cells.join(" | ")} |`);
    }
  }
  process.stdout.write(`${lines.join("\n")}\n`);
}
process.exit(0);
