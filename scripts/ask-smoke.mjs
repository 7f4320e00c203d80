// The README's own first question, asked as a stranger would, and its answer held against the file. For .ci/run.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const readme = readFileSync(`${root}README.md`, "utf8");
const question = /^npm ci && npx longsight ask "(where is (\w+) defined\?)"$/m.exec(readme);
if (!question) throw new Error("README.md has no first question of the form `where is NAME defined?`");
const [, text, name] = question;

const output = execFileSync("npx", ["longsight", "ask", "--json", text], { cwd: root, encoding: "utf8" });
const { answer, citations, timings } = JSON.parse(output);
const [cited] = citations;
const line = cited ? readFileSync(`${root}${cited.path}`, "utf8").split("\n")[cited.line - 1] : "";
console.log(`${text} ${answer} [${cited?.path}:${cited?.line}, ${Math.round(timings.firstTokenMs)} ms]`);
if (!cited?.verified || !new RegExp(`(?:function|class|const|interface|type) ${name}\\b`).test(line ?? "")) {
  throw new Error(`the answer does not cite the line that defines ${name}`);
}
