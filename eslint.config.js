// Lint rules: typescript-eslint's strict type-checked set, errors only, and the walls between the rooms.
import { defineConfig, globalIgnores } from "eslint/config";
import tseslint from "typescript-eslint";
import longsight from "./scripts/room-walls.mjs";

const addonLoading = [
  "MemberExpression[object.name='process'][property.name='dlopen']",
  "CallExpression[callee.name='createRequire']",
  "Literal[value=/\\.node$/]",
  "TemplateElement[value.raw=/\\.node$/]",
].map((selector) => ({ selector, message: "Only daemon/engine/native-worker.ts loads the addon." }));

export default defineConfig(
  globalIgnores(["dist/", "build/", "build-*/", "coverage/", "models/", "training/", "test/golden/"]),
  { linterOptions: { reportUnusedDisableDirectives: "error" } },
  {
    files: ["**/*.ts"],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: {
      parserOptions: {
        project: "./tsconfig.eslint.json",
        tsconfigRootDir: import.meta.dirname,
      },
    },
    plugins: { longsight },
    rules: {
      "longsight/room-walls": "error",
      "@typescript-eslint/consistent-type-assertions": ["error", { assertionStyle: "never" }],
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/explicit-module-boundary-types": "error",
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      "@typescript-eslint/no-import-type-side-effects": "error",
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "@typescript-eslint/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
      eqeqeq: "error",
      "no-restricted-syntax": ["error", ...addonLoading],
    },
  },
  {
    // The editor's API exists in the editor only.
    files: ["**/*.ts"],
    ignores: ["extension/**", "test/editor/host/**"],
    rules: {
      "no-restricted-imports": [
        "error",
        { paths: [{ name: "vscode", message: "Only extension/ runs in the editor." }] },
      ],
    },
  },
  {
    // A page of a webview: a browser, which has neither.
    files: ["extension/webview/*.ts"],
    rules: {
      "no-restricted-imports": [
        "error",
        {
          patterns: [{ regex: "^(vscode|node:)", message: "A webview's page has neither the editor's API nor Node." }],
        },
      ],
    },
  },
  {
    // Types and constants only: neither Node's modules nor a package, so that any client can share the file as it is.
    files: ["daemon/protocol/*.ts"],
    ignores: ["**/*.test.ts"],
    rules: {
      "no-restricted-imports": [
        "error",
        { patterns: [{ regex: "^[^.]", message: "daemon/protocol imports nothing but its own files." }] },
      ],
    },
  },
  {
    files: ["daemon/engine/native-worker.ts", "test/**/*.ts", "**/*.test.ts"],
    rules: { "no-restricted-syntax": "off" },
  },
  {
    // A test may cast what it made itself, and may look into any room.
    files: ["test/**/*.ts", "**/*.test.ts"],
    rules: {
      "@typescript-eslint/consistent-type-assertions": "off",
      "@typescript-eslint/no-non-null-assertion": "off",
      "@typescript-eslint/no-unsafe-argument": "off",
      "@typescript-eslint/no-unsafe-assignment": "off",
      "@typescript-eslint/no-unsafe-member-access": "off",
      "longsight/room-walls": "off",
    },
  },
);
