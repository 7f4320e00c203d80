/** What computes: the CPU, a GPU by its number, or the first GPU there is and else the CPU. */
export type DeviceName = "auto" | "cpu" | `cuda${string}`;

/** Undefined for anything else. */
export function deviceName(text: string): DeviceName | undefined {
  if (text === "auto" || text === "cpu") return text;
  const cuda = /^cuda(:\d+)?$/.exec(text);
  return cuda ? `cuda${cuda[1] ?? ""}` : undefined;
}
