/**
 * What a file is for, judged by its path alone. The pack keeps classes in the order of this list when the budget is
 * short: what explains the repository first, what merely exercises it last.
 */
export const fileClasses = ["overview", "source", "docs", "config", "test", "data"] as const;

export type FileClass = (typeof fileClasses)[number];

const overviewName = /^(?:readme|architecture|contributing)(?:\.(?:md|rst|txt|adoc))?$/i;
const manifestName =
  /^(?:package\.json|pyproject\.toml|setup\.(?:py|cfg)|cargo\.toml|go\.mod|pom\.xml|build\.gradle(?:\.kts)?|cmakelists\.txt|makefile|gemfile|composer\.json|.+\.(?:csproj|cabal|gemspec))$/i;
const testPath =
  /(?:^|\/)(?:tests?|__tests__|spec|specs|testing|e2e|bench|benches|benchmarks?|examples?|demos?|playgrounds?)\/|(?:[._-](?:test|spec)|_tests?)\.[a-z]+$|(?:^|\/)test_[^/]+\.py$/i;
const fixturePath = /(?:^|\/)(?:fixtures?|testdata|test-data|__fixtures__|golden|corpus|samples?|locales?|i18n)\//i;
const docsName =
  /\.(?:md|mdx|rst|adoc|txt|tex|org|html?)$|(?:^|\/)(?:changelog|licen[cs]e|copying|authors|notice)[^/]*$/i;
const dataName = /\.(?:csv|tsv|jsonl|ndjson|svg|po|pot|xlf|xliff|sql|geojson|ipynb|log|out|diff|patch|dat)$/i;
const configName =
  /\.(?:json|jsonc|json5|ya?ml|toml|ini|cfg|conf|properties|xml|plist|editorconfig|env\.example)$|(?:^|\/)\.[^/]+$/i;

export function classifyFile(path: string): FileClass {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const atRoot = !path.includes("/");
  if (atRoot && (overviewName.test(name) || manifestName.test(name))) return "overview";
  if (fixturePath.test(path) || dataName.test(name)) return "data";
  if (testPath.test(path)) return "test";
  if (docsName.test(path)) return "docs";
  if (manifestName.test(name)) return "source";
  if (configName.test(path)) return "config";
  return "source";
}
