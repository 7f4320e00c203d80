/** The protocol between the daemon and its clients: types and constants only. PROTOCOL.md tells it in prose. */
import { askRequest } from "./ask.ts";
import {
  cancelNotification,
  cancelProgressNotification,
  executeCommandRequest,
  exitNotification,
  initializedNotification,
  initializeRequest,
  progressNotification,
  shutdownRequest,
} from "./base.ts";
import { cacheRequest } from "./cache.ts";
import { changesRequest, contextRequest, openRequest } from "./context.ts";
import { didChangeNotification, didCloseNotification, didOpenNotification } from "./documents.ts";
import type { MessageDeclaration } from "./message.ts";
import { modelsRequest } from "./models.ts";
import { serverStatusNotification, statusRequest } from "./status.ts";
import { stopRequest } from "./stop.ts";
import { summarizeRequest } from "./summarize.ts";

export * from "./ask.ts";
export * from "./base.ts";
export * from "./cache.ts";
export * from "./commands.ts";
export * from "./context.ts";
export * from "./device.ts";
export * from "./documents.ts";
export * from "./errors.ts";
export * from "./evidence.ts";
export * from "./limits.ts";
export * from "./message.ts";
export * from "./models.ts";
export * from "./prefill.ts";
export * from "./progress.ts";
export * from "./status.ts";
export * from "./stop.ts";
export * from "./summarize.ts";
export * from "./version.ts";

/** Every message that either side may send. */
export const messages: readonly MessageDeclaration[] = [
  initializeRequest,
  initializedNotification,
  shutdownRequest,
  exitNotification,
  cancelNotification,
  cancelProgressNotification,
  progressNotification,
  executeCommandRequest,
  didOpenNotification,
  didChangeNotification,
  didCloseNotification,
  openRequest,
  contextRequest,
  changesRequest,
  askRequest,
  summarizeRequest,
  statusRequest,
  serverStatusNotification,
  modelsRequest,
  cacheRequest,
  stopRequest,
];
