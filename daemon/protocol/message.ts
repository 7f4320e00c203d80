/** How a message is declared: its method, who sends it, and whether it is answered. */
export interface MessageDeclaration {
  readonly method: string;
  readonly direction: "client-to-daemon" | "daemon-to-client";
  readonly kind: "request" | "notification";
}

/** Names a stream of `$/progress` notifications; chosen by the client. */
export type ProgressToken = number | string;
