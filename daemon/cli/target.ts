import path from "node:path";
import type { Target } from "../protocol/context.ts";
import { repositoryRoot } from "./repository-root.ts";

/**
 * What ask and bench are about. $LONGSIGHT_MODEL is read here and sent along: the daemon may have been started by somebody
 * with another default.
 */
export function readTarget(args: {
  readonly repo: string | undefined;
  readonly model: string | undefined;
  readonly context: number | undefined;
}): Target & { readonly repository: string } {
  const model = args.model ?? process.env["LONGSIGHT_MODEL"];
  return {
    repository: repositoryRoot(args.repo, process.cwd()),
    ...(model ? { model: path.resolve(model) } : {}),
    ...(args.context === undefined ? {} : { contextTokens: args.context }),
  };
}
