"""The parser of gates: ``accuracy >= stable - 0.01``. Pure; no ``eval``.

::

    gate     = NAME [ "[" group { "," group } "]" ] operator bound [ "over" WHOLE [ "rows" ] ]
    group    = ( NAME | QUOTED ) "=" ( NAME | NUMBER | QUOTED )
    operator = ">=" | ">" | "<=" | "<" | "≥" | "≤"
    bound    = term { ("+" | "-" | "−") term }
    term     = factor { ("*" | "×" | "/") factor }
    factor   = [ "-" | "−" | "+" ] ( NUMBER [ unit ] | "stable" | "(" bound ")" )
    unit     = "%" | "ms" | "s" | "m" | "h" | "d" | "w"

A bound is a number, or linear in stable's metric: ``1.2 * stable + 3``. A unit of time needs a metric whose name ends
with its own unit (``latency_p95_ms``, ``fit_seconds``): the bound is converted to that unit.
"""

from __future__ import annotations

import difflib
import math
import re
from dataclasses import dataclass

from jupyter_deploy.domain.expressions import SECONDS, Reader, Token, error_at

from .gate import STABLE, Bound, Gate, Operator

_NUMBER = r"(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_TOKENS = re.compile(
    rf"(?P<number>{_NUMBER})"
    r"|(?P<name>[^\W\d]\w*)"
    r"|(?P<quoted>'[^']*'|\"[^\"]*\")"
    r"|(?P<operator>>=|<=|>|<|≥|≤)"
    r"|(?P<equals>==?|!=)"
    r"|(?P<mark>[-+*/%()\[\],−×])"
)
_OPERATORS: dict[str, Operator] = {">=": ">=", "≥": ">=", ">": ">", "<=": "<=", "≤": "<=", "<": "<"}
_TIME_SUFFIXES = {"_ms": SECONDS["ms"], "_s": SECONDS["s"], "_seconds": SECONDS["s"]}
_LONGEST = 300  # characters
_DEEPEST = 30  # brackets and signs within each other, before they exhaust the stack


@dataclass(frozen=True)
class Use:
    """One use of the language: the noun and the example that its errors contain."""

    noun: str
    example: str


GATE = Use("gate", "'accuracy >= 0.93', 'accuracy >= stable - 0.01' or 'accuracy[sex=F] >= 0.9 over 200'")


def parse_gate(expression: str, use: Use = GATE) -> Gate:
    """Parse a gate.

    Raises
    ------
    InvalidInput
        The text is no gate; the message names the character, the details point at it.
    """
    text = " ".join(expression.split())
    if len(text) > _LONGEST:
        why = f"a {use.noun} of {len(text)} characters is longer than {_LONGEST}"
        raise error_at(use.noun, f"{text[:40]}…", 40, why, f"write, for example, {use.example}")
    reader = Reader(text, _TOKENS, use.noun, use.example)
    metric = reader.take("name", "a metric's name").text
    group = _group(reader)
    operator = _OPERATORS[_operator(reader).text]
    bound_at = reader.next.at
    bound = _BoundParser(reader, metric).parse()
    minimum_rows = _minimum_rows(reader)
    reader.end("the end, '+', '-', '*' or 'over'")
    if not (math.isfinite(bound.factor) and math.isfinite(bound.offset)):
        reader.fail_at(bound_at, "its bound is no finite number")
    return Gate(text, metric, operator, bound, group, minimum_rows, bound_at)


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
            reader.fail_at(name.at, f"{name.text} occurs twice")
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


def _operator(reader: Reader) -> Token:
    if reader.next.kind == "equals":
        equal = reader.next
        reversed_ = equal.text == "=" and reader.text[equal.at + 1 : equal.at + 2] in ("<", ">")
        reader.fail_at(
            equal.at,
            f"write '{reader.text[equal.at + 1]}=' instead of '={reader.text[equal.at + 1]}'"
            if reversed_
            else "no estimate is equal to a number: write >= or <=",
        )
    return reader.take("operator", "one of >=, >, <= and <")


def _minimum_rows(reader: Reader) -> int | None:
    if not reader.comes("over"):
        return None
    token = reader.take("number", "the least number of rows, as in 'over 200'")
    if not token.text.isdecimal() or int(token.text) == 0:
        reader.fail_at(token.at, "the number of rows is no whole number above 0")
    reader.comes("rows", "row")
    return int(token.text)


class _BoundParser:
    """Reads the bound of a metric as a linear function of stable's metric."""

    def __init__(self, reader: Reader, metric: str) -> None:
        self._reader = reader
        self._metric = metric
        self._depth = 0

    def parse(self) -> Bound:
        """Read a sum of terms."""
        total = self._term()
        while self._reader.next.text in ("+", "-", "−"):
            sign = 1.0 if self._reader.skip().text == "+" else -1.0
            term = self._term()
            total = Bound(total.offset + sign * term.offset, total.factor + sign * term.factor)
        return total

    def _term(self) -> Bound:
        product = self._factor()
        while self._reader.next.text in ("*", "/", "×"):
            operator = self._reader.skip()
            other = self._factor()
            if operator.text == "/":
                if other.factor or not other.offset:
                    self._reader.fail_at(operator.at, "a bound may be divided by a number other than 0 only")
                product = Bound(product.offset / other.offset, product.factor / other.offset)
            elif product.factor and other.factor:
                self._reader.fail_at(operator.at, "stable cannot be multiplied by stable")
            else:
                factor = product.factor * other.offset + other.factor * product.offset
                product = Bound(product.offset * other.offset, factor)
        return product

    def _factor(self) -> Bound:
        token = self._reader.next
        if not self._reader.comes("-", "−", "+", "("):
            return self._stable() or self._quantity()
        self._depth += 1
        if self._depth > _DEEPEST:
            self._reader.fail_at(token.at, f"more than {_DEEPEST} brackets and signs are nested")
        inside = self.parse() if token.text == "(" else self._factor()
        if token.text == "(" and not self._reader.comes(")"):
            self._reader.fail(self._reader.next, "')'")
        self._depth -= 1
        return Bound(-inside.offset, -inside.factor) if token.text in ("-", "−") else inside

    def _stable(self) -> Bound | None:
        token = self._reader.next
        if token.kind != "name":
            return None
        if token.text == STABLE:
            self._reader.skip()
            return Bound(0.0, 1.0)
        if difflib.get_close_matches(token.text.lower(), [STABLE]):
            self._reader.fail_at(token.at, f"did you mean '{STABLE}'?")
        return None

    def _quantity(self) -> Bound:
        number = float(self._reader.take("number", f"a number or '{STABLE}'").text)
        if self._reader.comes("%"):
            return Bound(number / 100)
        if self._reader.next.text in SECONDS:
            return Bound(self._in_unit_of_metric(number, self._reader.skip()))
        return Bound(number)

    def _in_unit_of_metric(self, number: float, unit: Token) -> float:
        seconds = next((seconds for suffix, seconds in _TIME_SUFFIXES.items() if self._metric.endswith(suffix)), None)
        if seconds is None:
            self._reader.fail_at(
                unit.at,
                f"the name {self._metric} has no unit of time: write the number without '{unit.text}', "
                f"or use a metric that ends with {', '.join(_TIME_SUFFIXES)}",
            )
        return number * (SECONDS[unit.text] / seconds)
