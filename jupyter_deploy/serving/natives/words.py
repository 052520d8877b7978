"""Texts as words, split exactly as scikit-learn's vectorizers split them; a graph counts the words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import TypedDict

NO_WORD = "\uffff"
"""Stands for a word that no vocabulary has, and for a text without words: Unicode reserves it as no character."""

_UNENCODABLE = re.compile("[\0\ud800-\udfff]")
"""What a graph's text cannot have."""


class Words(TypedDict):
    """How a vectorizer of scikit-learn finds the words of a text, as plain values.

    ``pattern``: a regular expression of Python that finds the words. ``lower``: letters become small ones first.
    ``accents``: ``ascii`` or ``unicode`` as ``strip_accents``, or empty. ``stop``: words that are left out.
    """

    pattern: str
    lower: bool
    accents: str
    stop: list[str]


def splitter(words: Words) -> Callable[[str], str]:
    """Return the function that gives the words of a text, with a blank between two of them."""
    find = re.compile(words["pattern"]).findall
    lower, accents, stop = words["lower"], words["accents"], frozenset(words["stop"])

    def split(text: str) -> str:
        if lower:
            text = text.lower()
        if accents:
            text = without_accents(text, ascii_only=accents == "ascii")
        found = [word for word in find(text) if word not in stop] if stop else find(text)
        joined = " ".join(found)
        if "" in found or joined.count(" ") >= len(found) or _UNENCODABLE.search(joined):
            joined = " ".join(NO_WORD if not word or is_unusual(word) else word for word in found)
        return joined or NO_WORD

    return split


def is_unusual(word: str) -> bool:
    """Whether a word has a blank, a NUL or half of a surrogate pair, with which a graph cannot know it."""
    return " " in word or _UNENCODABLE.search(word) is not None


def without_accents(text: str, *, ascii_only: bool) -> str:
    """Return a text without accents: ``strip_accents_ascii`` or ``strip_accents_unicode`` of scikit-learn."""
    if text.isascii():
        return text
    decomposed = unicodedata.normalize("NFKD", text)
    if ascii_only:
        return decomposed.encode("ascii", "ignore").decode("ascii")
    return "".join(character for character in decomposed if not unicodedata.combining(character))
