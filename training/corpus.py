"""Collects the training corpus: source files grouped by package, as one compressed JSON-lines file.

Each line is [package, path, text]. A package is one directory named on the command line by a glob; its files keep
their relative paths, so that a training context looks like a repository. Packages named in HELD_OUT are left out:
they are what `npm run eval:bundled` asks about.
"""

import argparse
import glob
import hashlib
import json
import lzma
import os
import random
import re

# What the evaluation reads (test/eval/held-out.ts): packages of these very names are never trained on.
HELD_OUT = re.compile(r"(^|[/@])(eslint|fast-check|node-addon-api|longsight|tar)(@|-[0-9]|/|$)")

EXTENSIONS = {
    ".py": "py", ".js": "js", ".mjs": "js", ".cjs": "js", ".ts": "ts", ".mts": "ts", ".tsx": "ts", ".jsx": "js",
    ".h": "c", ".hpp": "c", ".c": "c", ".cc": "c", ".cpp": "c", ".go": "go", ".rs": "rs", ".java": "java",
    ".kt": "java", ".md": "md", ".rst": "md", ".toml": "conf", ".yaml": "conf", ".yml": "conf", ".sh": "sh",
}
SKIPPED_FOLDERS = {"node_modules", "__pycache__", ".git", "dist", "umd", "min", "bundles", "site-packages", "fixtures",
                   "_esm", "_cjs", "_types", "lib.esm", "lib.commonjs", "cjs"}
# Bytes of text wanted of each language in all, and of one package.
LANGUAGE_BYTES = {"py": 60e6, "js": 34e6, "ts": 34e6, "c": 46e6, "go": 18e6, "rs": 18e6, "java": 8e6, "md": 8e6,
                  "conf": 2e6, "sh": 2e6}
PACKAGE_BYTES = 5e6


def readable(text: str) -> bool:
    """Whether text looks written by hand: not minified, not a table of numbers, few non-ASCII characters."""
    lines = text.count("\n") + 1
    if len(text) / lines > 90 or max((len(line) for line in text.split("\n")), default=0) > 600:
        return False
    letters = sum(c.isalpha() for c in text[:4000])
    return letters > 0.4 * len(text[:4000]) and text.isascii()


def package_files(root: str):
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(f for f in folders if f not in SKIPPED_FOLDERS and not f.startswith("."))
        for name in sorted(names):
            stem, extension = os.path.splitext(name)
            if extension not in EXTENSIONS or stem.endswith((".min", ".d", ".test-d", "bundle", ".prod")):
                continue
            path = os.path.join(folder, name)
            if os.path.islink(path) or not 300 <= os.path.getsize(path) <= 80_000:
                continue
            yield os.path.relpath(path, root), path, EXTENSIONS[extension]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("packages", nargs="+", help="globs of package folders, such as '/usr/lib/python3.11/*'")
    parser.add_argument("--out", required=True, help="corpus.jsonl.xz to write")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    roots = sorted({path.rstrip("/") for pattern in arguments.packages for path in glob.glob(pattern)})
    rng = random.Random(arguments.seed)
    rng.shuffle(roots)
    seen, spent = set(), {}
    count = 0
    with lzma.open(arguments.out, "wt", preset=6) as out:
        for root in roots:
            if not os.path.isdir(root) or HELD_OUT.search(root):
                continue
            package, package_bytes = "/".join(root.split("/")[-2:]), 0
            files = list(package_files(root))
            rng.shuffle(files)
            for relative, path, language in files:
                if spent.get(language, 0) > LANGUAGE_BYTES[language] or package_bytes > PACKAGE_BYTES:
                    continue
                try:
                    text = open(path, encoding="utf-8", newline="").read().replace("\r\n", "\n")
                except UnicodeDecodeError:
                    continue
                digest = hashlib.blake2b(re.sub(r"\s+", " ", text).encode(), digest_size=12).digest()
                if digest in seen or not readable(text):
                    continue
                seen.add(digest)
                spent[language] = spent.get(language, 0) + len(text)
                package_bytes += len(text)
                count += 1
                out.write(json.dumps([package, relative, text]) + "\n")
    print(f"{count} files; bytes by language: " + ", ".join(f"{k} {v / 1e6:.1f}M" for k, v in sorted(spent.items())))


if __name__ == "__main__":
    main()
