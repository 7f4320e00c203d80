// Builds and runs the native tests with plain CMake and CTest.
//
//   node scripts/test-native.mjs              into build-tests/
//   node scripts/test-native.mjs --sanitize   with ASan and UBSan, into build-sanitize/; then what threads share with
//                                             ThreadSanitizer, into build-threads/
//   node scripts/test-native.mjs --fuzz       the libFuzzer target (clang), for a minute, into build-fuzz/
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const fuzzSeconds = 60;

/** @param {string} line @returns {never} */
function fail(line) {
  console.error(`test-native: ${line}`);
  process.exit(1);
}

/** Runs without a word, unless it fails. @param {string} command @param {string[]} args */
function runQuietly(command, args) {
  const { error, status, stdout, stderr } = spawnSync(command, args, {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  if (error) fail(`${command} was not found; install it.`);
  if (status !== 0) {
    console.error(stdout + stderr);
    fail(`${command} ${args.join(" ")} failed; its messages are above.`);
  }
}

/** @param {string} command @param {string[]} args @param {NodeJS.ProcessEnv} [env] */
function runShown(command, args, env = process.env) {
  const { error, status } = spawnSync(command, args, { cwd: root, stdio: "inherit", env });
  if (error) fail(`${command} was not found; install it.`);
  return status ?? 1;
}

/** @param {string} folder @param {string[]} defines @param {string[]} targets */
function build(folder, defines, targets = []) {
  const flags = defines.map((define) => `-D${define}`);
  runQuietly("cmake", ["-S", ".", "-B", folder, ...flags]);
  const target = targets.length > 0 ? ["--target", ...targets] : [];
  runQuietly("cmake", ["--build", folder, "--parallel", String(availableParallelism()), ...target]);
}

/** @param {string} folder @param {string[]} defines */
function test(folder, defines) {
  build(folder, ["LONGSIGHT_TESTS=ON", "LONGSIGHT_BENCH=OFF", ...defines]);
  // A finding must not pass as a warning, and a leak is one.
  const env = { ...process.env, ASAN_OPTIONS: "detect_leaks=1", UBSAN_OPTIONS: "print_stacktrace=1" };
  return runShown("ctest", ["--test-dir", folder, "--output-on-failure", "--no-tests=error"], env);
}

/** ThreadSanitizer goes with no other, so these are built once more. */
function testThreads() {
  const tests = ["kernels_rank_bits_test", "kernels_sample_test", "kernels_thread_pool_test"];
  const defines = ["LONGSIGHT_TESTS=ON", "LONGSIGHT_BENCH=OFF", "CMAKE_BUILD_TYPE=RelWithDebInfo"];
  build("build-threads", [...defines, "CMAKE_CXX_FLAGS=-fsanitize=thread"], tests);
  const named = ["--tests-regex", `^(${tests.join("|")})$`];
  return runShown("ctest", ["--test-dir", "build-threads", ...named, "--output-on-failure", "--no-tests=error"]);
}

function fuzz() {
  const clang = process.env.CXX ?? "clang++";
  if (spawnSync(clang, ["--version"]).error) {
    fail("clang++ with libFuzzer is needed to fuzz; on Debian and Ubuntu: apt-get install clang");
  }
  build(
    "build-fuzz",
    [`CMAKE_CXX_COMPILER=${clang}`, "CMAKE_BUILD_TYPE=Debug", "LONGSIGHT_FUZZ=ON", "LONGSIGHT_BENCH=OFF"],
    ["safetensors_header_fuzz"],
  );
  // New inputs go to the build folder; the committed seeds stay as they are.
  const corpus = path.join(root, "build-fuzz/corpus");
  mkdirSync(corpus, { recursive: true });
  cpSync(path.join(root, "test/fuzz/corpus"), corpus, { recursive: true });
  return runShown("build-fuzz/bin/safetensors_header_fuzz", [
    `-max_total_time=${fuzzSeconds}`,
    "-timeout=10",
    "-rss_limit_mb=2048",
    "-print_final_stats=1",
    "-verbosity=0",
    "-artifact_prefix=build-fuzz/",
    corpus,
  ]);
}

const [mode = "", ...rest] = process.argv.slice(2);
if (rest.length > 0 || !["", "--sanitize", "--fuzz"].includes(mode)) {
  fail("usage: test-native.mjs [--sanitize | --fuzz]");
}
if (mode === "--fuzz") process.exit(fuzz());
if (mode === "--sanitize") {
  const status = test("build-sanitize", ["LONGSIGHT_SANITIZE=ON", "CMAKE_BUILD_TYPE=Debug"]);
  process.exit(testThreads() || status);
}
process.exit(test("build-tests", []));
