/** How many tokens two prompts share from their start: the KV state of that many can be kept. */
export function commonPrefixLength(a: Uint32Array, b: Uint32Array): number {
  const limit = Math.min(a.length, b.length);
  let length = 0;
  while (length < limit && a[length] === b[length]) length++;
  return length;
}
