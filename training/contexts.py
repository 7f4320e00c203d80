"""Builds training contexts: a packed piece of a package followed by many questions with their answers.

The packing is the one of daemon/prompt (dialect "anchor-tokens"): every block of eight lines opens with four anchor
tokens that name file and block; an answer is an anchor and the quoted line, or <|absent|>.
"""

import json
import lzma
import os
import random
import re
from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np
from tokenizers import Tokenizer

from corpus import EXTENSIONS
from definitions import find_definitions, purpose_line
from questions import phrase

BLOCK_LINES = 8
DIGITS = 128
QUOTE_TOKENS = 48
QUESTION_TOKENS = 30  # what a question with its answer takes, about
QUESTION_TOKENS_AT_MOST = 6000
ANCHOR_WEIGHT, QUOTE_WEIGHT, TEXT_WEIGHT = 1.0, 0.35, 0.1
TEXT_SHARE = 0.06  # positions of plain text that also carry a next-token loss
IDENTIFIER = re.compile(r"[A-Za-z_$][\w$]{2,}")
SYLLABLES = [a + b for a in "b c d f g h k l m n p qu r s t v w z tr st pl".split() for b in "a e i o u an er il or un".split()]


@dataclass
class Source:
    path: str
    language: str
    text: str


def load_packages(corpus: str) -> dict[str, list[Source]]:
    packages = defaultdict(list)
    with lzma.open(corpus, "rt") as lines:
        for line in lines:
            package, path, text = json.loads(line)
            packages[package].append(Source(path, EXTENSIONS[os.path.splitext(path)[1]], text))
    for sources in packages.values():
        sources.sort(key=lambda source: source.path)
    return dict(packages)


def words_of(name: str) -> list[str]:
    return re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", name)


def styled(words: list[str], like: str) -> str:
    """Joins words in the style of the identifier `like`: UPPER_CASE, snake_case, PascalCase or camelCase."""
    words = [word.lower() for word in words]
    lead = re.match(r"^[_$]*", like).group()
    if like.upper() == like:
        return lead + "_".join(words).upper()
    if "_" in like.strip("_") or like.lower() == like and len(words_of(like)) == 1:
        return lead + "_".join(words)
    joined = "".join(word.capitalize() for word in words)
    return lead + (joined if like.lstrip("_$")[:1].isupper() else joined[:1].lower() + joined[1:])


class ContextBuilder:
    def __init__(self, packages: dict[str, list[Source]], tokenizer_path: str, phrasings: dict, rename: bool = True, quote_share: float = 1.0):
        """quote_share: the share of answers whose quote is trained on too; the rest train their anchor alone."""
        self.quote_share = quote_share
        self.packages = packages
        self.names = list(packages)
        sizes = np.array([sum(len(s.text) for s in packages[n]) for n in self.names], dtype=np.float64)
        self.share = np.cumsum(sizes**0.75) / np.sum(sizes**0.75)
        self.tokenizer = Tokenizer.from_file(tokenizer_path)
        self.tokenizer.encode_special_tokens = True  # file text never produces a special token
        self.ids = {t: self.tokenizer.token_to_id(f"<|{t}|>") for t in ("bos", "eos", "file", "text", "question", "answer", "absent", "pad")}
        self.digit0 = {kind: self.tokenizer.token_to_id(f"<|{kind}0|>") for kind in "FfLl"}
        self.phrasings = phrasings
        self.rename = rename
        words = Counter()
        for sources in packages.values():
            for source in sources[:20]:
                words.update(w.lower() for w in re.findall(r"[A-Za-z]{3,10}", source.text[:3000]))
        self.words = [w for w, n in words.most_common(8000) if n > 1]
        self.english = self.words[:1500]  # what comments and prose are made of

    def anchor(self, file_id: int, block: int) -> list[int]:
        return [
            self.digit0["F"] + file_id // DIGITS, self.digit0["f"] + file_id % DIGITS,
            self.digit0["L"] + block // DIGITS, self.digit0["l"] + block % DIGITS,
        ]

    def encode(self, texts: list[str]) -> list[list[int]]:
        return [e.ids for e in self.tokenizer.encode_batch(texts, add_special_tokens=False)]

    def fresh_name(self, rng: random.Random, like: str) -> str:
        count = rng.choice((1, 2, 2, 3, 3, 4))
        words = [
            "".join(rng.choices(SYLLABLES, k=rng.randint(1, 3))) if rng.random() < 0.3 else rng.choice(self.words)
            for _ in range(count)
        ]
        return styled(words, like)

    def near_miss(self, rng: random.Random, name: str) -> str:
        words = words_of(name)
        place = rng.randrange(len(words) + 1) if words else 0
        if len(words) > 1 and rng.random() < 0.6:
            words[min(place, len(words) - 1)] = rng.choice(self.words)
        else:
            words.insert(place, rng.choice(self.words))
        return styled(words, name)

    def pick_sources(self, rng: random.Random, characters: int) -> list[Source]:
        chosen, taken = [], 0
        while taken < characters:
            package = self.names[int(np.searchsorted(self.share, rng.random()))]
            sources = self.packages[package]
            start = rng.randrange(len(sources))
            for source in sources[start:] + sources[:start]:
                chosen.append(source)
                taken += len(source.text)
                if taken >= characters or len(chosen) > 12000 or (taken > 40_000 and rng.random() < 0.02):
                    break
        return chosen

    def renaming(self, rng: random.Random, sources: list[Source]) -> dict[str, str]:
        share = rng.choice((0.0, 0.4, 0.8))
        if not self.rename or share == 0.0:
            return {}
        names = {d.name for s in sources for d in find_definitions(s.text.split("\n"), s.language)}
        return {name: self.fresh_name(rng, name) for name in sorted(names) if rng.random() < share}

    def file_ids(self, rng: random.Random, count: int) -> list[int]:
        kind = rng.random()
        if kind < 0.35:
            return list(range(count))
        if kind < 0.7:
            start = rng.randrange(DIGITS * DIGITS - count)
            return list(range(start, start + count))
        return rng.sample(range(DIGITS * DIGITS), count)

    def build(self, rng: random.Random, length: int):
        """One context of exactly `length` tokens: ids [length] and weights [length], where weight t is that of
        predicting token t from the tokens before it; and spans [(first, last, kind)] of the answers, for evaluation.
        """
        most = min(QUESTION_TOKENS_AT_MOST, length // 2)  # tokens that questions may take
        budget = int(length * 0.96)
        sources = self.pick_sources(rng, int(length * 3.6))
        if length <= 4096:  # short contexts begin anywhere in a file
            sources = [self.cut(rng, s, budget) for s in sources]
        mapping = self.renaming(rng, sources)
        tokens, weights = [self.ids["bos"]], [0.0]
        asked = []  # (kind, name, file id, line number, line text)
        defined = Counter()
        everything = []
        file_ids = self.file_ids(rng, len(sources))
        for source, file_id in zip(sources, file_ids):
            text = source.text
            if mapping:
                text = IDENTIFIER.sub(lambda m: mapping.get(m.group(), m.group()), text)
            lines = text.split("\n")
            if lines and not lines[-1]:
                lines.pop()
            everything.append(text)
            first_block = rng.randrange(3000) if rng.random() < 0.15 else 0
            blocks = ["\n".join(lines[i : i + BLOCK_LINES]) + "\n" for i in range(0, len(lines), BLOCK_LINES)]
            encoded = self.encode([source.path] + blocks)
            header = [self.ids["file"]] + self.anchor(file_id, 0)[:2] + encoded[0] + [self.ids["text"]]
            if len(tokens) + len(header) > budget:
                break
            tokens += header
            definitions = find_definitions(lines, source.language)
            defined.update(d.name for d in definitions)
            whole_lines, full = 0, False
            for block, ids in enumerate(encoded[1:]):
                askable = len(asked) + sum(d.line < whole_lines for d in definitions)
                full = len(tokens) + 4 + len(ids) + min(most, askable * QUESTION_TOKENS) > budget
                if full:
                    break
                tokens += self.anchor(file_id, first_block + block) + ids
                whole_lines = (block + 1) * BLOCK_LINES
            for d in definitions:
                if d.line < whole_lines and (d.doc is None or d.doc < whole_lines):
                    asked.append((d, file_id, first_block, lines))
            purpose = purpose_line(lines, source.language, definitions)
            if purpose is not None and purpose < whole_lines:
                asked.append(((source.path, purpose), file_id, first_block, lines))
            if full:
                break
        text_length = len(tokens)
        weights = [TEXT_WEIGHT if rng.random() < TEXT_SHARE else 0.0 for _ in tokens]
        weights[0] = 0.0
        present = "\n".join(everything)
        spans = self.ask(rng, tokens, weights, asked, defined, present, length)
        pad = length - len(tokens)
        tokens += [self.ids["pad"]] * pad
        weights += [0.0] * pad
        return np.array(tokens[:length], np.int64), np.array(weights[:length], np.float32), spans, text_length

    def cut(self, rng: random.Random, source: Source, budget: int) -> Source:
        lines = source.text.split("\n")
        if rng.random() < 0.5 or len(lines) < 24:
            return source
        start = rng.randrange(len(lines) * 3 // 4)
        return Source(source.path, source.language, "\n".join(lines[start:]))

    def ask(self, rng, tokens, weights, asked, defined, present, length):
        questions = []
        paths = Counter(os.path.basename(a[0][0]) for a in asked if isinstance(a[0], tuple))
        for entry, file_id, first_block, lines in asked:
            if isinstance(entry, tuple):
                path, line = entry
                base = os.path.basename(path)
                shown = base if paths[base] == 1 and rng.random() < 0.5 else path
                questions.append(("file", shown, file_id, first_block, line, lines[line]))
                continue
            if defined[entry.name] != 1:
                continue
            kinds = ["where"] * 5 + ["signature"] * 2 + (["doc"] * 7 if entry.doc is not None else ["doc"])
            kind = rng.choice(kinds)
            line = entry.doc if kind == "doc" and entry.doc is not None else entry.line
            questions.append((kind, entry.name, file_id, first_block, line, lines[line]))
        rng.shuffle(questions)
        files = [q for q in questions if q[0] == "file"]
        questions = [q for q in questions if q[0] != "file"]
        questions[len(questions) // 10 : len(questions) // 10] = files[: 1 + len(questions) // 8]
        rng.shuffle(questions)
        names = [q[1] for q in questions if q[0] != "file"] or ["fooBar"]
        spans = []
        absent = rng.choice((0.1, 0.15, 0.3))
        space = length - len(tokens)
        for kind, name, file_id, first_block, line, quote in questions:
            if rng.random() < absent:
                like = rng.choice(names)
                missing = self.near_miss(rng, like) if rng.random() < 0.4 else self.fresh_name(rng, like)
                if len(missing) >= 3 and not re.search(rf"\b{re.escape(missing)}\b", present):
                    space -= self.add(rng, tokens, weights, spans, rng.choice(("where", "where", "signature", "doc")), missing, None, space, True)
            answer = (file_id, first_block + line // BLOCK_LINES, quote.strip())
            space -= self.add(rng, tokens, weights, spans, kind, name, answer, space, False)
            if space < 24:
                break
        return spans

    def add(self, rng, tokens, weights, spans, kind, name, answer, space, absent) -> int:
        shown = name
        if kind != "file":
            shown = rng.choice((name, name, name, name, f"`{name}`", f"`{name}`", f'"{name}"', f"{name}()", f"'{name}'"))
        elif rng.random() < 0.3:
            shown = f"`{name}`"
        text = phrase(rng, kind, self.phrasings, self.english, self.rename)
        roll = rng.random()
        text = text.lower() if roll < 0.2 else text[:1].upper() + text[1:] if roll < 0.6 else text
        text = text.replace("{x}", shown)
        question, quote = self.encode([text, answer[2] if answer else ""])
        head = [self.ids["question"]] + question + [self.ids["answer"]]
        if answer is None:
            body, body_weights = [self.ids["absent"], self.ids["eos"]], [1.0, 0.2]
        else:
            quote = quote[:QUOTE_TOKENS]
            body = self.anchor(answer[0], answer[1]) + quote + [self.ids["eos"]]
            quoted = QUOTE_WEIGHT if rng.random() < self.quote_share else 0.0
            body_weights = [ANCHOR_WEIGHT] * 4 + [quoted] * (len(quote) + 1)
        if len(head) + len(body) > space:
            return 0
        first = len(tokens) + len(head)
        tokens += head + body
        weights += [0.0] * len(head) + body_weights
        spans.append((first, len(tokens), "absent" if absent else kind))
        return len(head) + len(body)
