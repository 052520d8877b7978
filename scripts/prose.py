"""Check the prose of pages and of sources in Python and TypeScript: ``python -m scripts.prose [--shrink]``.

Two rules:

* No word of ``words.txt`` occurs in a page, or in a docstring, a comment or a string of a source.
* No line of a page is longer than 100 columns, outside tables, code and the addresses of links.

``prose_baseline.txt`` lists the violations that each file still has: words, long lines, path. A count may only shrink.
The check fails if a file has more violations than the baseline says, or fewer; ``--shrink`` lowers the baseline.
"""

from __future__ import annotations

import argparse
import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
WORDS = "scripts/words.txt"
BASELINE = "scripts/prose_baseline.txt"
COLUMNS = 100
PAGES = ("*.md", "docs/**/*.md", "labextension/README.md")
SOURCES = ("jupyter_deploy/**/*.py", "scripts/**/*.py", "tests/**/*.py", "labextension/src/**/*.ts*")
# Pages that keep their history, files that a program writes, and the test of this check.
EXEMPT = re.compile(
    r"CHANGELOG\.md|docs/architecture/decisions/\d.*|docs/reference\.md|docs/supported-models\.md"
    r"|labextension/src/generated\.ts|tests/unit/test_prose\.py"
)

CODE_SPAN = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)", re.DOTALL)
LINK_ADDRESS = re.compile(r"\]\([^)\s]*\)|<?https?://[^\s>)]+>?")
BETWEEN_WORDS = r"[\s#]+"  # also the end of a line, in a comment too
TYPESCRIPT_TEXT = re.compile(
    r"""'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`|/\*.*?\*/|//[^\n]*""", re.DOTALL
)
FENCE = re.compile(r"\s*(`{3,}|~{3,})")


class Text(NamedTuple):
    """A piece of prose and the number of its first line."""

    line: int
    prose: str


class Violation(NamedTuple):
    """One place that breaks a rule."""

    path: str
    line: int
    message: str


class Count(NamedTuple):
    """The violations of one file, by rule."""

    words: int
    long_lines: int


Words = list[tuple[re.Pattern[str], str, str]]
Baseline = dict[str, Count]


def read_words(text: str) -> Words:
    """Read the list of words: a pattern, the word and the better one for each line."""
    words: Words = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        word, _, better = (part.strip() for part in line.partition("->"))
        if not better:
            raise SystemExit(f"{WORDS}: the line {line!r} has no '->'; write 'word -> better'")
        phrase = BETWEEN_WORDS.join(map(re.escape, word.split()))
        pattern = re.compile(rf"(?<![\w'-]){phrase}(?![\w-])", re.IGNORECASE)
        words.append((pattern, word, better))
    return words


def page_lines(text: str) -> Iterator[Text]:
    """Yield the lines of a page that are not in a block of code."""
    fence = ""
    for number, line in enumerate(text.splitlines(), 1):
        marker = FENCE.match(line)
        if marker and not fence:
            fence = marker[1]
        elif marker and marker[1].startswith(fence) and line.strip() == marker[1]:
            fence = ""
        elif not fence:
            yield Text(number, line)


def page_prose(text: str) -> list[Text]:
    """Return a page's paragraphs without code and the addresses of links."""
    paragraphs: list[Text] = []
    previous = -1
    for number, line in page_lines(text):
        if not line.strip():
            continue
        if number == previous + 1:
            first, prose = paragraphs.pop()
            paragraphs.append(Text(first, f"{prose}\n{line}"))
        else:
            paragraphs.append(Text(number, line))
        previous = number
    return [Text(number, _without_code(prose)) for number, prose in paragraphs]


def typescript_prose(text: str) -> list[Text]:
    """Return the strings and comments of a TypeScript source, without code in backticks."""
    matches = TYPESCRIPT_TEXT.finditer(text)
    return [
        Text(text.count("\n", 0, match.start()) + 1, _without_code(match[0].replace("\n *", "\n"))) for match in matches
    ]


def source_prose(text: str) -> list[Text]:
    """Return the docstrings, strings and comments of a Python source, without code in backticks."""
    strings = [
        Text(node.lineno, node.value)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    return [Text(number, _without_code(prose)) for number, prose in [*strings, *_comments(text)]]


def _comments(text: str) -> list[Text]:
    """Return the comments; lines of comments that follow each other are one text."""
    comments: list[Text] = []
    previous = -1
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type != tokenize.COMMENT:
            continue
        number = token.start[0]
        if number == previous + 1:
            first, prose = comments.pop()
            comments.append(Text(first, f"{prose}\n{token.string}"))
        else:
            comments.append(Text(number, token.string))
        previous = number
    return comments


def _without_code(prose: str) -> str:
    """Remove code and addresses, and keep the ends of lines."""
    prose = CODE_SPAN.sub(_ends_of_lines, prose)
    return LINK_ADDRESS.sub("]", prose)


def _ends_of_lines(match: re.Match[str]) -> str:
    return "`" + "\n" * match[0].count("\n")


def word_violations(path: str, texts: list[Text], words: Words) -> list[Violation]:
    """Find the words of the list in a file's prose."""
    violations = []
    for first, prose in texts:
        for pattern, word, better in words:
            for match in pattern.finditer(prose):
                line = first + prose.count("\n", 0, match.start())
                violations.append(Violation(path, line, f"'{word}': write {better}"))
    return violations


def long_lines(path: str, text: str) -> list[Violation]:
    """Find the lines of a page that are too long."""
    violations = []
    for number, line in page_lines(text):
        width = len(LINK_ADDRESS.sub("]", line))
        if width > COLUMNS and not line.lstrip().startswith("|"):
            violations.append(Violation(path, number, f"the line has {width} columns: wrap it at {COLUMNS}"))
    return violations


def check_file(path: str, text: str, words: Words) -> tuple[list[Violation], list[Violation]]:
    """Return the violations of a file: words, long lines."""
    if path.endswith(".md"):
        return word_violations(path, page_prose(text), words), long_lines(path, text)
    prose = source_prose(text) if path.endswith(".py") else typescript_prose(text)
    return word_violations(path, prose, words), []


def read_baseline(text: str) -> Baseline:
    """Read the baseline: words, long lines and the path on each line."""
    baseline: Baseline = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            words, lines, path = line.split(maxsplit=2)
            baseline[path] = Count(int(words), int(lines))
    return baseline


def write_baseline(baseline: Baseline) -> str:
    """Return the text of a baseline; files without violations are left out."""
    head = "# Violations that scripts/prose.py still allows: words, long lines, path. They may only shrink.\n"
    return head + "".join(f"{c.words:4} {c.long_lines:4} {path}\n" for path, c in sorted(baseline.items()) if any(c))


def compare(truth: Baseline, baseline: Baseline) -> tuple[list[str], list[str]]:
    """Return the paths with more violations than the baseline allows, and those with fewer."""
    more, fewer = [], []
    for path in sorted({*truth, *baseline}):
        now, allowed = truth.get(path, Count(0, 0)), baseline.get(path, Count(0, 0))
        if now.words > allowed.words or now.long_lines > allowed.long_lines:
            more.append(path)
        elif now != allowed:
            fewer.append(path)
    return more, fewer


def shrink(truth: Baseline, baseline: Baseline) -> Baseline:
    """Lower each count of the baseline to the truth; no count grows."""
    lowered = {}
    for path, allowed in baseline.items():
        now = truth.get(path, Count(0, 0))
        lowered[path] = Count(min(now.words, allowed.words), min(now.long_lines, allowed.long_lines))
    return lowered


def files(root: Path) -> Iterator[str]:
    """Yield the paths of the checked files, relative to the root."""
    for pattern in (*PAGES, *SOURCES):
        for file in sorted(root.glob(pattern)):
            path = file.relative_to(root).as_posix()
            if not EXEMPT.fullmatch(path) and "labextension/node_modules" not in path:
                yield path


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Check all files; return 1 if a count is not the baseline's."""
    parser = argparse.ArgumentParser(description="Check the prose of pages and sources.")
    parser.add_argument("--shrink", action="store_true", help="lower the baseline to the violations that are left")
    options = parser.parse_args(arguments)
    words = read_words((root / WORDS).read_text("utf-8"))
    baseline = read_baseline((root / BASELINE).read_text("utf-8"))
    checked = {path: check_file(path, (root / path).read_text("utf-8"), words) for path in files(root)}
    truth = {path: Count(len(words_left), len(wide)) for path, (words_left, wide) in checked.items()}
    if options.shrink:
        baseline = shrink(truth, baseline)
        (root / BASELINE).write_text(write_baseline(baseline), "utf-8")
    more, fewer = compare(truth, baseline)
    for path in more:
        for violation in sorted(checked[path][0] + checked[path][1]):
            print(f"{violation.path}:{violation.line}: {violation.message}")
        print(f"{path}: {truth[path]} exceeds the baseline's {baseline.get(path, Count(0, 0))}")
    if fewer:
        print(f"{BASELINE} allows more than is left in {', '.join(fewer)}: run 'python -m scripts.prose --shrink'")
    return 1 if more or fewer else 0


if __name__ == "__main__":
    sys.exit(main())
