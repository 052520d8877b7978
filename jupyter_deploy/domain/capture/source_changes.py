"""What changed in sources: cells matched by their likeness, files by their path, both as unified hunks."""

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
from jupyter_deploy.domain.secret_names import mask_literals

Kind = Literal["added", "removed", "changed"]

ALIKE = 0.5
"""Two cells with this share of their words in common, in their order, count as one that was changed."""

HELD = 0.8
"""So does a cell of which this share is found in the other, such as one that grew."""

_WORD = re.compile(r"\w+")
_FEWEST = 4  # words; any longer cell holds a shorter one than this
_COMPARABLE = 10_000  # pairs of cells; beyond, only equal ones are matched
_CANDIDATES = 3  # for each cell the likeliest, by words without their order: difflib takes milliseconds a pair


class Cell(Value):
    """An executed cell; ``number`` as in In [7]."""

    number: int
    source: str


class SourceChange(Value):
    """A cell or a file that was added, removed or changed."""

    name: str = Field(description="In [3] -> In [5], or a path within the project.")
    kind: Kind
    added: int = Field(description="Lines.")
    removed: int = Field(description="Lines.")
    hunks: tuple[str, ...] = Field(
        description="As diff -u has them, each from its @@ line on; values of names that say a secret are taken out."
    )
    note: str = Field(default="", description="Why there are no lines to show.")


def cell_changes(before: Sequence[Cell], after: Sequence[Cell]) -> tuple[SourceChange, ...]:
    """Added and changed cells in the order of ``after``, then the removed ones."""
    old = [(cell.number, mask_literals(cell.source).strip()) for cell in before]
    new = [(cell.number, mask_literals(cell.source).strip()) for cell in after]
    old, new = _unmatched(old, new)
    partner = _pairs([source for _, source in old], [source for _, source in new])
    found = []
    for place, (number, source) in enumerate(new):
        if place in partner:
            former, text = old[partner[place]]
            found.append(_change(f"In [{former}] -> In [{number}]", "changed", text, source))
        else:
            found.append(_change(f"In [{number}]", "added", "", source))
    gone = [cell for place, cell in enumerate(old) if place not in partner.values()]
    return (*found, *(_change(f"In [{number}]", "removed", source, "") for number, source in gone))


def file_changes(
    before: Mapping[str, str], after: Mapping[str, str], sources: tuple[Mapping[str, str], Mapping[str, str]]
) -> tuple[SourceChange, ...]:
    """By path.

    Parameters
    ----------
    before, after
        Path -> SHA-256.
    sources
        The texts of both sides, where they were read; without a text only the fact is told.
    """
    found = []
    for path in sorted(before.keys() | after.keys()):
        if before.get(path) == after.get(path):
            continue
        old, new = (mask_literals(texts[path]) if path in texts else None for texts in sources)
        whole = (path in before) == (old is not None) and (path in after) == (new is not None)
        kind = _kind(before.get(path), after.get(path))
        found.append(_change(path, kind, old or "", new or "") if whole else _untold(path, kind))
    return tuple(found)


def _unmatched(
    old: list[tuple[int, str]], new: list[tuple[int, str]]
) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
    """Without the cells that both sides have, wherever they stand."""
    common = {source for _, source in old} & {source for _, source in new}
    return [cell for cell in old if cell[1] not in common], [cell for cell in new if cell[1] not in common]


def _pairs(old: Sequence[str], new: Sequence[str]) -> dict[int, int]:
    """Place in ``new`` -> place in ``old``: the most alike first."""
    if len(old) * len(new) > _COMPARABLE:
        return {}
    ours, theirs = ([_Words.of(source) for source in sources] for sources in (old, new))
    found = []
    for there, words in enumerate(theirs):
        likely = sorted(
            ((words.at_most(other), -abs(here - there), here) for here, other in enumerate(ours)), reverse=True
        )
        for most, distance, here in likely[:_CANDIDATES]:
            if most > 0 and (likeness := words.likeness(ours[here])) > 0:
                found.append((likeness, distance, there, here))
    pairs: dict[int, int] = {}
    for _, _, there, here in sorted(found, reverse=True):
        if there not in pairs and here not in pairs.values():
            pairs[there] = here
    return pairs


@dataclass(frozen=True)
class _Words:
    """A cell's words, in their order and counted."""

    words: Sequence[str]
    counts: Counter[str]

    @classmethod
    def of(cls, source: str) -> _Words:
        words = _WORD.findall(source)
        return cls(words, Counter(words))

    def at_most(self, other: _Words) -> float:
        """The likeness that the two could have: no order has more words in common than none."""
        return self._ratio(other, (self.counts & other.counts).total())

    def likeness(self, other: _Words) -> float:
        """The ratio (difflib's) of two cells that count as one; 0 where they do not."""
        blocks = difflib.SequenceMatcher(None, other.words, self.words, autojunk=False).get_matching_blocks()
        return self._ratio(other, sum(block.size for block in blocks))

    def _ratio(self, other: _Words, common: int) -> float:
        both, fewer = len(self.words) + len(other.words), min(len(self.words), len(other.words))
        alike = 2 * common >= ALIKE * both or (fewer >= _FEWEST and common >= HELD * fewer)
        return 2 * common / both if both and alike else 0.0


def _change(name: str, kind: Kind, before: str, after: str) -> SourceChange:
    lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm=""))[2:]
    hunks = tuple(_hunks(lines))
    return SourceChange(name=name, kind=kind, added=_count(lines, "+"), removed=_count(lines, "-"), hunks=hunks)


def _untold(name: str, kind: Kind) -> SourceChange:
    return SourceChange(name=name, kind=kind, added=0, removed=0, hunks=())


def _kind(before: str | None, after: str | None) -> Kind:
    return "added" if before is None else "removed" if after is None else "changed"


def _count(lines: Iterable[str], sign: str) -> int:
    return sum(line.startswith(sign) for line in lines)


def _hunks(lines: Sequence[str]) -> list[str]:
    starts = [place for place, line in enumerate(lines) if line.startswith("@@")]
    return ["\n".join(lines[i:j]) for i, j in itertools.pairwise([*starts, len(lines)])]
