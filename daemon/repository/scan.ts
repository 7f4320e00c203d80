import type { RepositoryScan, ScanOptions } from "./scan-types.ts";

/** @throws Failure `no-such-folder`, `over-budget` (too many files), `cancelled` */
export async function scanRepository(root: string, options: ScanOptions = {}): Promise<RepositoryScan> {
  throw new Error(`not yet: ${root} ${String(options.signal)}`);
}
