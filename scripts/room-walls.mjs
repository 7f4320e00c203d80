// An ESLint rule: which room may import from which. ARCHITECTURE.md gives the reasons.
//
// All imports of ours are relative and name their file in full, so where one leads is plain path arithmetic.
import path from "node:path";

const root = path.join(import.meta.dirname, "..");

/** Each room and the other rooms that its files may import from. What is absent is forbidden. */
export const mayImport = {
  "daemon/protocol": [],
  "daemon/failure": ["daemon/protocol"],
  "daemon/repository": ["daemon/protocol", "daemon/failure"],
  "daemon/prompt": ["daemon/protocol", "daemon/failure", "daemon/repository"],
  // Of native/ there are only the addon's types to import; who may load it is another rule.
  "daemon/engine": ["daemon/protocol", "daemon/failure", "native"],
  "daemon/socket": ["daemon/protocol", "daemon/failure"],
  "daemon/sessions": ["daemon/protocol", "daemon/failure", "daemon/repository", "daemon/prompt", "daemon/engine"],
  "daemon/server": [
    "daemon/protocol",
    "daemon/failure",
    "daemon/repository",
    "daemon/prompt",
    "daemon/engine",
    "daemon/socket",
    "daemon/sessions",
  ],
  // Asks the product from inside, as the server does and with its settings, but without a socket.
  "daemon/eval": [
    "daemon/protocol",
    "daemon/failure",
    "daemon/repository",
    "daemon/prompt",
    "daemon/engine",
    "daemon/sessions",
    "daemon/server",
    "training",
  ],
  // Packs a repository; the rest is a native program's.
  "daemon/bench": ["daemon/protocol", "daemon/failure", "daemon/repository", "daemon/prompt"],
  // Calibrates on the evaluations' texts, and asks their questions.
  "daemon/search": [
    "daemon/protocol",
    "daemon/failure",
    "daemon/repository",
    "daemon/prompt",
    "daemon/engine",
    "daemon/sessions",
    "daemon/eval",
  ],
  // A client like any other: it dials or starts the daemon, and then there is only the protocol.
  "daemon/cli": ["daemon/protocol", "daemon/failure", "daemon/socket"],
  extension: ["daemon/protocol"],
  native: [],
  scripts: [],
};

/** @param {string} file absolute path @returns {string} its room: two folders inside daemon/, else one */
function roomOf(file) {
  const parts = path.relative(root, file).split(path.sep);
  return parts.slice(0, parts[0] === "daemon" && parts.length > 2 ? 2 : 1).join("/");
}

/** @type {import("eslint").Rule.RuleModule} */
const rule = {
  meta: {
    type: "problem",
    schema: [],
    messages: { wall: "{{from}} may not import from {{to}}; it may from: {{allowed}}." },
  },
  create(context) {
    const from = roomOf(context.filename);
    const allowed = mayImport[from];
    const check = (/** @type {any} */ source) => {
      const specifier = source?.value;
      if (allowed === undefined || typeof specifier !== "string" || !specifier.startsWith(".")) return;
      const to = roomOf(path.resolve(path.dirname(context.filename), specifier));
      if (to === from || allowed.includes(to)) return;
      const data = { from, to, allowed: allowed.length === 0 ? "no other room" : allowed.join(", ") };
      context.report({ node: source, messageId: "wall", data });
    };
    return {
      ImportDeclaration: (node) => check(node.source),
      ExportNamedDeclaration: (node) => check(node.source),
      ExportAllDeclaration: (node) => check(node.source),
      ImportExpression: (node) => check(node.source),
      TSImportType: (/** @type {any} */ node) => check(node.source ?? node.argument?.literal),
    };
  },
};

/** @type {import("eslint").ESLint.Plugin} */
export default { rules: { "room-walls": rule } };
