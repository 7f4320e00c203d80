"""Finds, line by line, what source files define, the comment that documents it, and what a file says of itself.

Deliberately shallow: patterns of definition lines per language. A name that two lines define is never asked about.
"""

import re
from dataclasses import dataclass

NAME = r"([A-Za-z_$][\w$]*)"
MODIFIERS = r"(?:(?:export|default|declare|abstract|async|public|private|protected|static|final|override|readonly|inline|virtual|const|unsafe|pub(?:\([^)]*\))?|open|internal|suspend|data|sealed)\s+)*"
PATTERNS = {
    "py": [rf"^\s*(?:async\s+)?def\s+{NAME}\s*\(", rf"^\s*class\s+{NAME}", r"^([A-Z][A-Z0-9_]{2,})\s*(?::[^=]+)?=[^=]"],
    "js": [
        rf"^\s*{MODIFIERS}(?:function\s*\*?|class|interface|enum|namespace|type)\s+{NAME}",
        rf"^(?:export\s+)?(?:const|let|var)\s+{NAME}\s*(?::[^=]+)?=[^=]",
        rf"^\s+(?:(?:public|private|protected|static|async|get|set|override)\s+)*{NAME}\s*\([^;]*\)\s*(?::[^{{;]+)?\{{$",
        rf"^(?:module\.)?exports\.{NAME}\s*=",
        rf"^[A-Z]\w*\.(?:prototype\.)?{NAME}\s*=\s*(?:async\s+)?function",
    ],
    "c": [
        rf"^\s*#\s*define\s+{NAME}",
        rf"^\s*(?:typedef\s+)?(?:struct|class|enum(?:\s+class)?|union)\s+(?:[A-Z_]+\s+)?{NAME}\s*(?:final\s*)?(?::[^;]*)?\{{?$",
        rf"^\s{{0,4}}(?!return|else|typedef|delete|throw|new|case|using|if|while)[A-Za-z_][\w\s*&:<>,]*?[\s*&]{NAME}\s*\([^;{{}}]*\)[^;{{}}]*(?:\{{.*)?$",
        rf"^(?!return|else|typedef|delete|throw|new|case|using|if|while)[A-Za-z_][\w\s*]*[\s*]{NAME}\s*\([^;{{}}]*\)[^;{{}}]*;\s*$",
        rf"^\s*using\s+{NAME}\s*=",
        r"^typedef\s[^;(){}]*\b(\w+)\s*;\s*$",
    ],
    "go": [rf"^func\s+(?:\([^)]*\)\s*)?{NAME}\s*[(\[]", rf"^type\s+{NAME}\s", rf"^(?:const|var)\s+{NAME}\s"],
    "rs": [
        rf"^\s*{MODIFIERS}(?:extern\s+\"C\"\s+)?fn\s+{NAME}",
        rf"^\s*{MODIFIERS}(?:struct|enum|trait|union|type|mod|static|macro_rules!)\s+(?:mut\s+)?{NAME}",
        r"^\s*(?:pub(?:\([^)]*\))?\s+)?const\s+([A-Z_][A-Z0-9_]+)\s*:",
    ],
    "java": [
        rf"^\s*{MODIFIERS}(?:class|interface|enum|object|fun)\s+(?:<[^>]+>\s*)?{NAME}",
        rf"^\s+{MODIFIERS}[\w<>\[\], ]+\s{NAME}\s*\([^;]*\)\s*(?:throws [\w, ]+)?\{{$",
    ],
    "sh": [rf"^(?:function\s+)?{NAME}\s*\(\)\s*\{{?$"],
}
PATTERNS["ts"] = PATTERNS["js"]
PATTERNS = {language: [re.compile(p) for p in patterns] for language, patterns in PATTERNS.items()}
# Words that a definition pattern can hit but that name nothing worth asking about.
NOT_NAMES = frozenset(
    "if for while switch catch function return else constructor main init self this new get set super main test setUp "
    "tearDown toString valueOf defined import export default class struct enum typeof sizeof do try with match loop impl "
    "Test var let const render props state value name type index data run start stop close open next error".split()
)
COMMENT = re.compile(r"^\s*(?:///?|//!|#(?!\s*(?:include|define|if|endif|else|elif|pragma|undef|!)|\[)|/\*\*?|\*(?!/)|\*/|<!--|;;)")
SKIPPED_ABOVE = re.compile(r"^\s*(?:@[\w.]+|#\[|template\s*<|export\s*$|__attribute__)")
LEGAL = re.compile(r"copyright|licen[sc]e|spdx|all rights reserved|permission is|warranty|@flow|eslint|use strict|coding[:=]|@preserve|-\*-|http", re.I)


@dataclass(frozen=True)
class Definition:
    """A defined name; lines count from 0. `doc` is the first line with words of its documentation, if it has any."""

    name: str
    line: int
    doc: int | None


def has_words(line: str) -> bool:
    return len(re.findall(r"[A-Za-z]{2,}", line)) >= 2 and not LEGAL.search(line)


def doc_above(lines: list[str], line: int) -> int | None:
    above = line - 1
    while above >= 0 and SKIPPED_ABOVE.match(lines[above]):
        above -= 1
    first = None
    while above >= 0 and COMMENT.match(lines[above]) and line - above < 60:
        if has_words(lines[above]) and not re.match(r"^\s*(?:\*|//+)\s*@", lines[above]):
            first = above
        above -= 1
    return first


def doc_string(lines: list[str], line: int) -> int | None:
    at = line
    while at < min(len(lines), line + 12) and not lines[at].rstrip().endswith(":"):
        at += 1
    at += 1
    while at < len(lines) and not lines[at].strip():
        at += 1
    if at >= len(lines) or not re.match(r"^\s*[rRuU]?(\"\"\"|''')", lines[at]):
        return None
    for candidate in (at, at + 1):
        if candidate < len(lines) and has_words(lines[candidate]):
            return candidate
    return None


def find_definitions(lines: list[str], language: str) -> list[Definition]:
    found = []
    for number, line in enumerate(lines):
        if len(line) > 200 or not line or line.isspace():
            continue
        for pattern in PATTERNS.get(language, ()):
            match = pattern.match(line)
            if match is None:
                continue
            name = match.group(1)
            if len(name) >= 3 and name not in NOT_NAMES and not name.startswith("__"):
                doc = doc_string(lines, number) if language == "py" else doc_above(lines, number)
                found.append(Definition(name, number, doc))
            break
    return found


def purpose_line(lines: list[str], language: str, definitions: list[Definition]) -> int | None:
    """The line that says what the file is for: its heading, docstring or header comment, else what it defines first."""
    for number, line in enumerate(lines[:40]):
        if language in ("md",):
            if re.match(r"^#\s+\w", line) or (number + 1 < len(lines) and re.match(r"^[=\-~]{4,}\s*$", lines[number + 1])):
                return number
            continue
        opening = re.match(r"^\s*[rRuU]?(\"\"\"|''')", line)
        if opening or COMMENT.match(line):
            if has_words(line):
                return number
            if opening and number + 1 < len(lines) and has_words(lines[number + 1]):
                return number + 1
        elif line.strip() and definitions and number > definitions[0].line:
            break
    return definitions[0].line if definitions else None
