"""Changes of sources: cells matched by similarity and files by path, both as unified hunks."""

from __future__ import annotations

import difflib
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from jupyter_deploy.domain.base import Value
from jupyter_deploy.domain.secret_names import masked

Kind = Literal["added", "removed", "changed"]

SIMILAR = 0.5
"""Two cells with this share of common words, in their order, count as one changed cell."""

CONTAINED = 0.8
"""So does a pair where one cell contains this share of the other's words, such as a cell that grew."""

_WORD = re.compile(r"\w+")
_FEWEST = 4  # words; almost any longer cell contains a shorter one than this
_COMPARABLE = 10_000  # pairs of cells; beyond, only equal cells are matched
_CANDIDATES = 3  # most similar cells, by words without order, to compare in full: difflib takes milliseconds a pair


class Cell(Value):
    """An executed cell; ``number`` is its execution count."""

    number: int
    source: str


class SourceChange(Value):
    """A cell or a file that was added, removed or changed."""

    name: str = Field(description="In [3] -> In [5], or a path within the project.")
    kind: Kind
    added: int = Field(description="Lines.")
    removed: int = Field(description="Lines.")
    hunks: tuple[str, ...] = Field(
        description="Hunks as in diff -u, each with its @@ line; values under a secret's name are masked."
    )
    note: str = Field(default="", description="The reason for missing lines.")


def cell_changes(before: Sequence[Cell], after: Sequence[Cell]) -> tuple[SourceChange, ...]:
    """Return added and changed cells in the order of ``after``, then the removed ones."""
    old = [(cell.number, masked(cell.source).strip()) for cell in before]
    new = [(cell.number, masked(cell.source).strip()) for cell in after]
    old, new = _unmatched(old, new)
    partner = _pairs([source for _, source in old], [source for _, source in new])
    changes = []
    for index, (number, source) in enumerate(new):
        if index in partner:
            former, text = old[partner[index]]
            changes.append(_change(f"In [{former}] -> In [{number}]", "changed", text, source))
        else:
            changes.append(_change(f"In [{number}]", "added", "", source))
    removed = [cell for index, cell in enumerate(old) if index not in partner.values()]
    return (*changes, *(_change(f"In [{number}]", "removed", source, "") for number, source in removed))


def file_changes(
    before: Mapping[str, str], after: Mapping[str, str], sources: tuple[Mapping[str, str], Mapping[str, str]]
) -> tuple[SourceChange, ...]:
    """Return changed files by path.

    Parameters
    ----------
    before, after
        Path -> SHA-256.
    sources
        The available texts of the files before and after; a file without a text is reported without lines.
    """
    changes = []
    for path in sorted(before.keys() | after.keys()):
        if before.get(path) == after.get(path):
            continue
        old, new = (masked(texts[path]) if path in texts else None for texts in sources)
        whole = (path in before) == (old is not None) and (path in after) == (new is not None)
        kind = _kind(before.get(path), after.get(path))
        changes.append(_change(path, kind, old or "", new or "") if whole else _without_lines(path, kind))
    return tuple(changes)


def _unmatched(
    old: list[tuple[int, str]], new: list[tuple[int, str]]
) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
    """Return the cells without those that both notebooks contain, at whatever position."""
    common = {source for _, source in old} & {source for _, source in new}
    return [cell for cell in old if cell[1] not in common], [cell for cell in new if cell[1] not in common]


def _pairs(old: Sequence[str], new: Sequence[str]) -> dict[int, int]:
    """Map indices in ``new`` to indices in ``old``, the most similar pairs first."""
    if len(old) * len(new) > _COMPARABLE:
        return {}
    old_words, new_words = ([_Words.of(source) for source in sources] for sources in (old, new))
    matches = []
    for new_index, words in enumerate(new_words):
        likely = sorted(
            (
                (words.at_most(other), -abs(old_index - new_index), old_index)
                for old_index, other in enumerate(old_words)
            ),
            reverse=True,
        )
        for most, distance, old_index in likely[:_CANDIDATES]:
            if most > 0 and (likeness := words.likeness(old_words[old_index])) > 0:
                matches.append((likeness, distance, new_index, old_index))
    pairs: dict[int, int] = {}
    for _, _, new_index, old_index in sorted(matches, reverse=True):
        if new_index not in pairs and old_index not in pairs.values():
            pairs[new_index] = old_index
    return pairs


@dataclass(frozen=True)
class _Words:
    """A cell's words, in order and counted."""

    words: Sequence[str]
    counts: Counter[str]

    @classmethod
    def of(cls, source: str) -> _Words:
        words = _WORD.findall(source)
        return cls(words, Counter(words))

    def at_most(self, other: _Words) -> float:
        """Return an upper bound of the similarity: the common words without order."""
        return self._ratio(other, (self.counts & other.counts).total())

    def likeness(self, other: _Words) -> float:
        """Return difflib's ratio of two cells that count as one; 0 if they do not."""
        blocks = difflib.SequenceMatcher(None, other.words, self.words, autojunk=False).get_matching_blocks()
        return self._ratio(other, sum(block.size for block in blocks))

    def _ratio(self, other: _Words, common: int) -> float:
        both, fewer = len(self.words) + len(other.words), min(len(self.words), len(other.words))
        alike = 2 * common >= SIMILAR * both or (fewer >= _FEWEST and common >= CONTAINED * fewer)
        return 2 * common / both if both and alike else 0.0


def _change(name: str, kind: Kind, before: str, after: str) -> SourceChange:
    lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm=""))[2:]
    hunks = tuple(_hunks(lines))
    return SourceChange(name=name, kind=kind, added=_count(lines, "+"), removed=_count(lines, "-"), hunks=hunks)


def _without_lines(name: str, kind: Kind) -> SourceChange:
    return SourceChange(name=name, kind=kind, added=0, removed=0, hunks=())


def _kind(before: str | None, after: str | None) -> Kind:
    return "added" if before is None else "removed" if after is None else "changed"


def _count(lines: Iterable[str], sign: str) -> int:
    return sum(line.startswith(sign) for line in lines)


def _hunks(lines: Sequence[str]) -> list[str]:
    starts = [index for index, line in enumerate(lines) if line.startswith("@@")]
    return ["\n".join(lines[i:j]) for i, j in itertools.pairwise([*starts, len(lines)])]
