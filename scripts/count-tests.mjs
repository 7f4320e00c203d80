// Reads a test run's output on stdin and its exit status as the argument; prints "PASSED FAILED" for .ci/run.
//
// Known are our own closing line (`N passed, N failed`) and CTest's. A run that printed neither counts as one test.
// A run that failed without naming a failed test counts one failure, so that no failure is lost.
import { readFileSync } from "node:fs";

const output = readFileSync(0, "utf8");
const ok = process.argv[2] === "0";

/** @param {number[][]} runs @param {(run: number[]) => number} count */
const total = (runs, count) => runs.reduce((sum, run) => sum + count(run), 0);

/** @returns {[number, number]} */
function counted() {
  const own = [...output.matchAll(/^(\d+) passed, (\d+) failed$/gm)].at(-1);
  if (own) return [Number(own[1]), Number(own[2])];
  const runs = [...output.matchAll(/(\d+) tests failed out of (\d+)/g)].map((run) => [Number(run[1]), Number(run[2])]);
  if (runs.length > 0) return [total(runs, ([bad, all]) => all - bad), total(runs, ([bad]) => bad)];
  return ok ? [1, 0] : [0, 1];
}

const [passed, failed] = counted();
console.log(`${passed} ${ok ? failed : Math.max(failed, 1)}`);
