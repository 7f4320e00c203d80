/** What VS Code gives to a webview's page; once per page. */
export interface EditorApi<Message, State> {
  postMessage(message: Message): void;
  getState(): State | undefined;
  setState(state: State): void;
}

declare global {
  function acquireVsCodeApi<Message, State>(): EditorApi<Message, State>;
}
