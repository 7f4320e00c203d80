import path from "node:path";
import type { Target } from "../protocol/context.ts";
import type { PrefillMode } from "../protocol/prefill.ts";
import { repositoryRoot } from "./repository-root.ts";

export interface TargetArguments {
  readonly repo: string | undefined;
  readonly model: string | undefined;
  readonly context: number | undefined;
  readonly prefill: PrefillMode | undefined;
  readonly patterns: string | undefined;
  readonly recallFloor: number | undefined;
  readonly exclude: readonly string[] | undefined;
  readonly include: readonly string[] | undefined;
}

/**
 * What ask, summarize and bench are about. $LONGSIGHT_MODEL is read here and sent along: the daemon may have been started by somebody
 * with another default.
 */
export function readTarget(args: TargetArguments): Target & { readonly repository: string } {
  const model = args.model ?? process.env["LONGSIGHT_MODEL"];
  return {
    repository: repositoryRoot(args.repo, process.cwd()),
    ...(model ? { model: path.resolve(model) } : {}),
    ...(args.context === undefined ? {} : { contextTokens: args.context }),
    ...(args.prefill === undefined ? {} : { prefill: args.prefill }),
    ...(args.patterns === undefined ? {} : { patterns: path.resolve(args.patterns) }),
    ...(args.recallFloor === undefined ? {} : { recallFloor: args.recallFloor }),
    ...(args.exclude === undefined ? {} : { exclude: args.exclude.map(withoutDot) }),
    ...(args.include === undefined ? {} : { include: args.include.map(withoutDot) }),
  };
}

/** "./docs" as a shell completes it. */
function withoutDot(place: string): string {
  return place.replace(/^(?:\.\/)+/, "");
}
