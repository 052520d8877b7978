"""Reading small languages without ``eval``: tokens with their places, and errors that point at one. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from .errors import InvalidInput


@dataclass(frozen=True)
class Token:
    """A piece of text; ``kind`` is the name of the group of the pattern that it matched, ``end`` after the last."""

    kind: str
    text: str
    at: int


class Reader:
    """The tokens of an expression, one after the other.

    Parameters
    ----------
    text
        The expression.
    pattern
        Named groups, one a kind of token; white space between tokens is passed over.
    what
        What errors call the expression, such as ``gate``.
    example
        What errors show as a right one.

    Raises
    ------
    InvalidInput
        By all methods, with a line that points at the place.
    """

    def __init__(self, text: str, pattern: re.Pattern[str], what: str, example: str) -> None:
        self.text = text
        self._what = what
        self._example = example
        self._tokens = self._scanned(pattern)
        self._next = 0

    @property
    def next(self) -> Token:
        """The token that is to come."""
        return self._tokens[self._next]

    def take(self, kind: str, expected: str) -> Token:
        """The token that is to come, which must be of this kind."""
        if self.next.kind != kind:
            self.fail(self.next, expected)
        return self.skip()

    def skip(self) -> Token:
        """The token that is to come, whatever it is."""
        token = self.next
        self._next = min(self._next + 1, len(self._tokens) - 1)
        return token

    def comes(self, *texts: str) -> bool:
        """Whether the token that is to come is one of these; it is taken then."""
        if self.next.kind == "end" or self.next.text.lower() not in texts:
            return False
        self.skip()
        return True

    def end(self, expected: str) -> None:
        """Nothing may follow."""
        if self.next.kind != "end":
            self.fail(self.next, expected)

    def fail(self, token: Token, expected: str) -> NoReturn:
        """Raise, pointing at a token."""
        found = f"found '{token.text}'" if token.text else "it ends"
        self.fail_at(token.at, f"expected {expected}, {found}")

    def fail_at(self, at: int, why: str) -> NoReturn:
        """Raise, pointing at a place."""
        raise InvalidInput(
            f"the {self._what} '{self.text}' is wrong at character {at + 1}: {why}",
            f"write, for example, {self._example}",
            details=f"  {self.text}\n  {' ' * at}^",
        )

    def _scanned(self, pattern: re.Pattern[str]) -> Sequence[Token]:
        tokens, at = [], 0
        while at < len(self.text):
            if self.text[at].isspace():
                at += 1
                continue
            found = pattern.match(self.text, at)
            if not found or not found.lastgroup:
                self.fail_at(at, f"'{self.text[at]}' means nothing here")
            tokens.append(Token(found.lastgroup, found.group(), at))
            at = found.end()
        return [*tokens, Token("end", "", len(self.text))]
