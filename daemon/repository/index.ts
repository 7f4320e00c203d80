/** The repository as the daemon sees it: what files there are, in which order, and what changed since. */
export { changedSince, type RepositoryChanges } from "./changes.ts";
export { ChosenFiles } from "./file-choice.ts";
export { fileClasses, type FileClass } from "./file-class.ts";
export type { LeftOut, LeftOutReason } from "./left-out.ts";
export { orderFiles } from "./order.ts";
export { normalizeText, readSourceText, type SourceText } from "./read-file.ts";
export {
  defaultScanLimits,
  type RepositoryScan,
  type ScanLimits,
  type ScannedFile,
  type ScanOptions,
} from "./scan-types.ts";
export { scanRepository } from "./scan.ts";
export { fileWorths } from "./worth.ts";
