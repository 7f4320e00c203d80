/** The HTML of a webview: one style sheet, one script with a nonce, and nothing else may run or load. */
import { randomBytes } from "node:crypto";
import * as vscode from "vscode";

/** Where bundled scripts and style sheets of webviews lie; nothing else can be loaded. */
export function webviewRoot(extensionUri: vscode.Uri): vscode.Uri {
  return vscode.Uri.joinPath(extensionUri, "dist", "webview");
}

/** `name`: of the script and the style sheet. Carries no text of a repository: that comes by messages. */
export function webviewPage(webview: vscode.Webview, extensionUri: vscode.Uri, name: string, title: string): string {
  const nonce = randomBytes(16).toString("base64url");
  const asset = (file: string): string =>
    webview.asWebviewUri(vscode.Uri.joinPath(webviewRoot(extensionUri), file)).toString();
  const policy = `default-src 'none'; style-src ${webview.cspSource}; script-src 'nonce-${nonce}'`;
  return `<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="UTF-8">
    <meta http-equiv="Content-Security-Policy" content="${policy}">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <link rel="stylesheet" href="${asset(`${name}.css`)}">
    <title>${title}</title>
  </head>
  <body>
    <main></main>
    <script nonce="${nonce}" src="${asset(`${name}.js`)}"></script>
  </body>
</html>`;
}
