/** Means, and how sure they are. Every interval is a 95 % one. */
import type { Random } from "./random.ts";

export interface Interval {
  readonly low: number;
  readonly high: number;
}

export function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}

const z = 1.959964;

/** Of a proportion: Wilson's score interval, which holds for few trials and for shares near 0 and 1. */
export function wilson(right: number, asked: number): Interval {
  if (asked === 0) return { low: 0, high: 1 };
  const share = right / asked;
  const centre = share + z ** 2 / (2 * asked);
  const spread = z * Math.sqrt((share * (1 - share)) / asked + z ** 2 / (4 * asked ** 2));
  const scale = 1 + z ** 2 / asked;
  return { low: Math.max(0, (centre - spread) / scale), high: Math.min(1, (centre + spread) / scale) };
}

const resamples = 10_000;

/**
 * Of the mean of second - first, item by item: the percentile bootstrap over the pairs. With no difference in any pair the
 * bootstrap knows no spread; then it is Wilson's interval for "no pair differs", which still says how few were asked.
 */
export function pairedDifference(first: readonly number[], second: readonly number[], random: Random): Interval {
  if (first.length !== second.length) throw new Error("the two runs do not pair up");
  const differences = second.map((value, index) => value - (first[index] ?? 0));
  const count = differences.length;
  if (count === 0) return { low: -1, high: 1 };
  if (differences.every((difference) => difference === 0)) {
    const { high } = wilson(0, count);
    return { low: -high, high };
  }
  const means = Float64Array.from({ length: resamples }, () => {
    let sum = 0;
    for (let drawn = 0; drawn < count; drawn += 1) sum += random.pick(differences);
    return sum / count;
  }).sort();
  const at = (share: number): number => means[Math.round(share * (resamples - 1))] ?? 0;
  return { low: at(0.025), high: at(0.975) };
}
