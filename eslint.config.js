// Lint rules: typescript-eslint's strict type-checked set, errors only, and the walls between the rooms.
import { createNodeResolver, importX } from "eslint-plugin-import-x";
import { defineConfig, globalIgnores } from "eslint/config";
import tseslint from "typescript-eslint";

/** Rooms of daemon/ and the other rooms of daemon/ that each may import. Absent from a list means forbidden. */
const daemonRooms = {
  protocol: [],
  failure: ["protocol"],
  repository: ["protocol", "failure"],
  prompt: ["protocol", "failure", "repository"],
  engine: ["protocol", "failure"],
  socket: ["protocol", "failure"],
  sessions: ["protocol", "failure", "repository", "prompt", "engine"],
  server: ["protocol", "failure", "repository", "prompt", "engine", "socket", "sessions"],
  // A client like any other: it dials or starts the daemon, and then there is only the protocol.
  cli: ["protocol", "failure", "socket"],
};

const zones = [
  ...Object.entries(daemonRooms).map(([room, mayImport]) => ({
    target: `./daemon/${room}`,
    from: "./daemon",
    except: [room, ...mayImport].map((name) => `./${name}`),
    message: `daemon/${room} may import only: ${[room, ...mayImport].map((name) => `daemon/${name}`).join(", ")}.`,
  })),
  {
    target: "./extension",
    from: ["./daemon/!(protocol)/**", "./native/**", "./scripts/**"],
    message: "extension/ shares daemon/protocol with the daemon, and nothing else.",
  },
  {
    target: ["./daemon", "./native", "./scripts"],
    from: "./extension",
    message: "extension/ is the only room that knows the editor.",
  },
  {
    // Its types only; that one file of daemon/engine loads it is checked by `addonLoading`.
    target: ["./extension", "./daemon/!(engine)/**/*"],
    from: "./native/**",
    message: "Only daemon/engine knows the addon.",
  },
];

const testZone = {
  target: ["./extension", "./daemon", "./native", "./scripts"],
  from: "./test",
  message: "Nothing imports test/.",
};

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
        project: ["./tsconfig.json", "./daemon/tsconfig.json", "./test/tsconfig.json"],
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
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
    files: ["**/*.ts"],
    plugins: { "import-x": importX },
    settings: { "import-x/resolver-next": [createNodeResolver({ extensions: [".ts", ".d.ts", ".mjs", ".js"] })] },
    rules: {
      "import-x/no-restricted-paths": ["error", { basePath: import.meta.dirname, zones: [...zones, testZone] }],
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
      "import-x/no-restricted-paths": "off",
    },
  },
);
