/** `workspace/executeCommand`: each command and the request that it mirrors. */
import { askRequest } from "./ask.ts";
import { cacheRequest } from "./cache.ts";
import { changesRequest, contextRequest, openRequest } from "./context.ts";
import { modelsRequest } from "./models.ts";
import { statusRequest } from "./status.ts";
import { stopRequest } from "./stop.ts";
import { summarizeRequest } from "./summarize.ts";

export const commands = {
  "longsight.ask": askRequest.method,
  "longsight.open": openRequest.method,
  "longsight.context": contextRequest.method,
  "longsight.changes": changesRequest.method,
  "longsight.summarize": summarizeRequest.method,
  "longsight.status": statusRequest.method,
  "longsight.models": modelsRequest.method,
  "longsight.cache": cacheRequest.method,
  "longsight.stop": stopRequest.method,
} as const;
