"""Small languages (gates, selections) read without ``eval``: tokens, units, and errors with a position. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from .errors import InvalidInput

SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
"""The units of time that every expression and option understands, in seconds."""


def error_at(noun: str, text: str, at: int, why: str, remedy: str) -> InvalidInput:
    """The error of all small languages: it names a character of ``text``, and its details point at that."""
    return InvalidInput(
        f"the {noun} '{text}' is wrong at character {at + 1}: {why}", remedy, details=f"  {text}\n  {' ' * at}^"
    )


@dataclass(frozen=True)
class Token:
    """A piece of text at a position; ``kind`` is a group's name of the pattern, or ``end`` after the last piece."""

    kind: str
    text: str
    at: int


class Reader:
    """Reads the tokens of an expression one by one.

    Parameters
    ----------
    text
        The expression.
    pattern
        Named groups, one for each kind of token; white space between tokens is ignored.
    noun
        The expression's name in errors, such as ``gate``.
    example
        A correct expression, for errors.

    Raises
    ------
    InvalidInput
        By all methods, with the position of the fault.
    """

    def __init__(self, text: str, pattern: re.Pattern[str], noun: str, example: str) -> None:
        self.text = text
        self._noun = noun
        self._example = example
        self._tokens = self._scan(pattern)
        self._next = 0

    @property
    def next(self) -> Token:
        """The next token, which stays."""
        return self._tokens[self._next]

    def take(self, kind: str, expected: str) -> Token:
        """Consume the next token, which must be of this kind."""
        if self.next.kind != kind:
            self.fail(self.next, expected)
        return self.skip()

    def skip(self) -> Token:
        """Consume the next token."""
        token = self.next
        self._next = min(self._next + 1, len(self._tokens) - 1)
        return token

    def comes(self, *texts: str) -> bool:
        """Whether the next token is one of these; if so, consume it."""
        if self.next.kind == "end" or self.next.text.lower() not in texts:
            return False
        self.skip()
        return True

    def end(self, expected: str) -> None:
        """Require that no token follows."""
        if self.next.kind != "end":
            self.fail(self.next, expected)

    def fail(self, token: Token, expected: str) -> NoReturn:
        """Raise an error at a token."""
        actual = f"found '{token.text}'" if token.text else "it ends"
        self.fail_at(token.at, f"expected {expected}, {actual}")

    def fail_at(self, at: int, why: str) -> NoReturn:
        """Raise an error at a position."""
        raise error_at(self._noun, self.text, at, why, f"write, for example, {self._example}")

    def _scan(self, pattern: re.Pattern[str]) -> Sequence[Token]:
        tokens, at = [], 0
        while at < len(self.text):
            if self.text[at].isspace():
                at += 1
                continue
            match = pattern.match(self.text, at)
            if not match or not match.lastgroup:
                self.fail_at(at, f"'{self.text[at]}' means nothing here")
            tokens.append(Token(match.lastgroup, match.group(), at))
            at = match.end()
        return [*tokens, Token("end", "", len(self.text))]
