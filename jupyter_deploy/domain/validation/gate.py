"""``accuracy >= stable - 0.01``: what must hold of a notebook's metrics. Pure; no ``eval``.

::

    gate   = NAME [ "[" group { "," group } "]" ] sign bound [ "over" WHOLE [ "rows" ] ]
    group  = ( NAME | QUOTED ) "=" ( NAME | NUMBER | QUOTED )
    sign   = ">=" | ">" | "<=" | "<" | "≥" | "≤"
    bound  = term { ("+" | "-") term }
    term   = factor { ("*" | "/") factor }
    factor = [ "-" ] ( NUMBER [ "%" ] | "stable" | "(" bound ")" )

A bound is a number, or linear in what stable's metric is: ``1.2 * stable + 3``.
"""

from __future__ import annotations

import difflib
import math
import re
from dataclasses import dataclass, field
from typing import Literal

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.expressions import Reader, Token

Sign = Literal[">=", ">", "<=", "<"]

STABLE = "stable"

_TOKENS = re.compile(
    r"(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)"
    r"|(?P<name>[^\W\d]\w*)"
    r"|(?P<quoted>'[^']*'|\"[^\"]*\")"
    r"|(?P<sign>>=|<=|>|<|≥|≤)"
    r"|(?P<equals>==?|!=)"
    r"|(?P<mark>[-+*/%()\[\],−×])"
)
_WORD = re.compile(r"[^\W\d]\w*|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_SIGNS: dict[str, Sign] = {">=": ">=", "≥": ">=", ">": ">", "<=": "<=", "≤": "<=", "<": "<"}
_LONGEST = 300  # characters: nobody writes more, and brackets in brackets would exhaust the stack
_EXAMPLE = "'accuracy >= 0.93', 'accuracy >= stable - 0.01' or 'accuracy[sex=F] >= 0.9 over 200'"


@dataclass(frozen=True)
class Gate:
    """A metric, of all rows or of a subgroup, a sign, and ``factor * stable + offset`` (factor 0: a number).

    ``least`` is how many rows it must be of (``over 200``).
    """

    expression: str
    metric: str
    sign: Sign
    offset: float
    factor: float = 0.0
    group: dict[str, str] = field(default_factory=dict)
    least: int | None = None

    @property
    def needs_stable(self) -> bool:
        """Whether it is a comparison with the stable release."""
        return self.factor != 0

    @property
    def sign_shown(self) -> str:
        """The sign as sentences have it: one character."""
        return {">=": "≥", "<=": "≤"}.get(self.sign, self.sign)

    @property
    def of(self) -> str:
        """The metric and its subgroup, as they are written."""
        return named(self.metric, self.group)

    @property
    def meaning(self) -> tuple[object, ...]:
        """What it says, however it is spelt."""
        return self.of, self.sign, self.factor, self.offset, self.least


def named(metric: str, group: dict[str, str]) -> str:
    """``accuracy[sex=F]``, as a gate has it: in quotes what is not one word."""
    inside = ", ".join(f"{_quoted(name)}={_quoted(value)}" for name, value in group.items())
    return f"{metric}[{inside}]" if inside else metric


def _quoted(text: str) -> str:
    if _WORD.fullmatch(text):
        return text
    return f"'{text}'" if "'" not in text else f'"{text}"'


def parse_gate(expression: str) -> Gate:
    """A gate from its text.

    Raises
    ------
    InvalidInput
        It is of another form; the message names the character, the details point at it.
    """
    text = " ".join(expression.split())
    if len(text) > _LONGEST:
        raise InvalidInput(f"a gate of {len(text)} characters begins '{text[:40]}…'", f"write, for example, {_EXAMPLE}")
    reader = Reader(text, _TOKENS, "gate", _EXAMPLE)
    metric = reader.take("name", "a metric's name").text
    group = _group(reader)
    sign = _SIGNS[_sign(reader).text]
    at = reader.next.at
    factor, offset = _bound(reader)
    least = _least(reader)
    reader.end("the end, '+', '-', '*' or 'over'")
    if not (math.isfinite(factor) and math.isfinite(offset)):
        reader.fail_at(at, "its bound is no finite number")
    return Gate(text, metric, sign, offset, factor, group, least)


def _group(reader: Reader) -> dict[str, str]:
    group: dict[str, str] = {}
    if not reader.comes("["):
        return group
    while True:
        name = _word(reader, "name", "quoted")
        if reader.next.kind != "equals" or reader.next.text != "=":
            reader.fail(reader.next, "'=', as in [sex=F]")
        reader.skip()
        value = _word(reader, "name", "number", "quoted")
        if name.text in group:
            reader.fail_at(name.at, f"{name.text} stands twice")
        group[name.text] = value.text
        if reader.comes("]"):
            return group
        if not reader.comes(","):
            reader.fail(reader.next, "',' or ']'")


def _word(reader: Reader, *kinds: str) -> Token:
    if reader.next.kind not in kinds:
        reader.fail(reader.next, "a group's name and value, as in [sex=F]; in quotes if one is not a single word")
    token = reader.skip()
    return Token(token.kind, token.text[1:-1], token.at) if token.kind == "quoted" else token


def _sign(reader: Reader) -> Token:
    if reader.next.kind == "equals":
        equal = reader.next
        reversed_ = equal.text == "=" and reader.text[equal.at + 1 : equal.at + 2] in ("<", ">")
        reader.fail_at(
            equal.at,
            f"write '{reader.text[equal.at + 1]}=' instead of '={reader.text[equal.at + 1]}'"
            if reversed_
            else "no estimate is equal to a number: write >= or <=",
        )
    return reader.take("sign", "one of >=, >, <= and <")


def _bound(reader: Reader) -> tuple[float, float]:
    """Factor and offset of a sum."""
    factor, offset = _term(reader)
    while reader.next.text in ("+", "-", "−"):
        sign = 1.0 if reader.skip().text == "+" else -1.0
        more_factor, more_offset = _term(reader)
        factor, offset = factor + sign * more_factor, offset + sign * more_offset
    return factor, offset


def _term(reader: Reader) -> tuple[float, float]:
    factor, offset = _factor(reader)
    while reader.next.text in ("*", "/", "×"):
        operator = reader.skip()
        other_factor, other = _factor(reader)
        if operator.text == "/":
            if other_factor or not other:
                reader.fail_at(operator.at, "a bound may be divided by a number other than 0 only")
            factor, offset = factor / other, offset / other
        elif factor and other_factor:
            reader.fail_at(operator.at, "stable cannot be multiplied by stable")
        else:
            factor, offset = factor * other + other_factor * offset, offset * other
    return factor, offset


def _factor(reader: Reader) -> tuple[float, float]:
    if reader.comes("-", "−"):
        factor, offset = _factor(reader)
        return -factor, -offset
    if reader.comes("("):
        inside = _bound(reader)
        if not reader.comes(")"):
            reader.fail(reader.next, "')'")
        return inside
    token = reader.next
    if token.kind == "name":
        if token.text != STABLE and difflib.get_close_matches(token.text.lower(), [STABLE]):
            reader.fail_at(token.at, f"did you mean '{STABLE}'?")
        if token.text == STABLE:
            reader.skip()
            return 1.0, 0.0
    number = reader.take("number", f"a number or '{STABLE}'")
    return 0.0, float(number.text) / (100 if reader.comes("%") else 1)


def _least(reader: Reader) -> int | None:
    if not reader.comes("over"):
        return None
    token = reader.take("number", "how many rows it must be of at least, as in 'over 200'")
    if not token.text.isdecimal() or int(token.text) == 0:
        reader.fail_at(token.at, "a whole number of rows above 0 is wanted")
    reader.comes("rows", "row")
    return int(token.text)
