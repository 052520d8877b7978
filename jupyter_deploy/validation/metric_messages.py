"""Messages of metrics and checks that a notebook's cells display, in any language: see docs/validation.md."""

from __future__ import annotations

import base64
import binascii
import json
import math
import sys
import zlib
from array import array
from collections.abc import Mapping
from typing import Any

from jupyter_deploy.domain.evidence.statistic import STATISTICS, statistic_of
from jupyter_deploy.domain.validation.validation import Check, Metric

MOST_ROWS = 5_000_000
"""Rows of one metric. Packed, they still fit into one message of a kernel."""

_DETAIL = 20_000  # characters; secrets are masked before display
_MOST = 10_000  # metrics and checks of a run
_CLOSE = 1e-6  # relative tolerance between a given value and the statistic of its rows

_NOT_FINITE = {"nan": math.nan, "na": math.nan, "inf": math.inf, "-inf": -math.inf}

_NUMBERS = ("rows", "replicates", "clusters")

_KNOWN = {
    "metric": {
        *("kind", "number", "name", "value", "n", "group", "statistic", "rows", "replicates"),
        *("share", "clusters", "informative", "undefined"),
    },
    "check": {"kind", "number", "name", "passed", "detail", "value"},
}


class MetricCollector:
    """Collects metrics and checks while the notebook runs.

    Attributes
    ----------
    problem
        The first invalid message with its cell; None: all are valid.
    """

    def __init__(self) -> None:
        self._documents: dict[object, Metric | Check] = {}
        self._keys: dict[object, object] = {}  # slot of each document, by name
        self._numbers: set[int] = set()
        self._expected = 0
        self._last_cell = 1
        self.problem: tuple[int, str] | None = None

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return tuple(one for one in self._documents.values() if isinstance(one, Metric))

    @property
    def checks(self) -> tuple[Check, ...]:
        return tuple(one for one in self._documents.values() if isinstance(one, Check))

    @property
    def lost(self) -> tuple[int, str] | None:
        """Return a message about lost documents with the last known cell; None: all numbered documents arrived."""
        missing = max(self._expected, *self._numbers, 0) - len(self._numbers)
        if missing <= 0:
            return None
        words = f"{missing} of {len(self._numbers) + missing} metrics and checks never arrived"
        return self._last_cell, f"{words}: were they captured by %%capture, or too many thousands in one cell?"

    def expect(self, cell: int, number: int) -> None:
        """Note the number of the last document that was displayed up to the end of a cell."""
        self._expected, self._last_cell = max(self._expected, number), cell

    def take(self, cell: int, display_id: str | None, document: Any) -> Any:
        """Collect a document; return its part for the executed notebook, without rows and replicates.

        A document with a display id replaces the former one with that id. A text may hold the JSON object, since
        kernels such as R's round displayed numbers.
        """
        document = _parse(document)
        self._last_cell = cell
        try:
            self._note_number(document)
            one = _read(cell, document)
            self._keep(one, ("display", display_id) if display_id else object())
        except InvalidMessage as error:
            self.problem = self.problem or (cell, str(error))
        if not isinstance(document, Mapping):
            return document
        return {name: value for name, value in document.items() if name not in _NUMBERS}

    def _keep(self, one: Metric | Check, slot: object) -> None:
        former = self._keys.get(_key(one), slot)
        if former != slot:
            other = self._documents[former]
            where = f"in cell {other.cell}" if other.cell != one.cell else "in the same cell"
            raise InvalidMessage(f"{_named(one)} was recorded already, {where}: give each a name of its own")
        if slot in self._documents:
            del self._keys[_key(self._documents[slot])]
        elif len(self._documents) >= _MOST:
            raise InvalidMessage(f"more than {_MOST} metrics and checks")
        self._documents[slot], self._keys[_key(one)] = one, slot

    def _note_number(self, document: Any) -> None:
        number = document.get("number") if isinstance(document, Mapping) else None
        if number is None:
            return
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            raise InvalidMessage(f"'number' is {_shorten(number)} and does not count what was recorded, from 1")
        self._numbers.add(number)


class InvalidMessage(ValueError):
    """A document violates docs/validation.md; the message names its metric."""


def _parse(document: Any) -> Any:
    try:
        return json.loads(document) if isinstance(document, str) else document
    except (ValueError, RecursionError):
        return document


def _key(one: Metric | Check) -> tuple[object, ...]:
    return type(one), one.name, tuple(sorted(one.group.items())) if isinstance(one, Metric) else ()


def _named(one: Metric | Check) -> str:
    if isinstance(one, Check):
        return f"check '{one.name}'"
    group = ", ".join(f"{name}={value}" for name, value in one.group.items())
    return f"metric '{one.name}'" + (f"[{group}]" if group else "")


def _read(cell: int, document: Any) -> Metric | Check:
    if not isinstance(document, Mapping):
        raise InvalidMessage("a metric is displayed as a JSON object")
    kind, name = document.get("kind", "metric"), document.get("name")
    if kind not in _KNOWN:
        raise InvalidMessage(f"'kind' is {kind!r} and not 'metric' or 'check'")
    if not isinstance(name, str) or not name.strip() or len(name) > 200:
        raise InvalidMessage(f"a {kind} needs a 'name', a text")
    if unknown := sorted(set(document) - _KNOWN[kind]):
        raise InvalidMessage(f"{kind} '{name}': unknown {', '.join(map(repr, unknown))}")
    if kind == "check":
        return _check(cell, name, document)
    try:
        return _metric(cell, name, document)
    except InvalidMessage as error:
        raise InvalidMessage(f"metric '{name}': {error}") from None


def _check(cell: int, name: str, document: Mapping[str, Any]) -> Check:
    passed = document.get("passed", document.get("value"))
    if not isinstance(passed, bool):
        raise InvalidMessage(f"check '{name}': 'passed' is {_shorten(passed)} and not true or false")
    return Check(name=name, passed=passed, detail=str(document.get("detail") or "")[:_DETAIL], cell=cell)


def _metric(cell: int, name: str, document: Mapping[str, Any]) -> Metric:
    statistic = document.get("statistic") or "mean"
    if not isinstance(statistic, str):
        raise InvalidMessage(f"'statistic' is {_shorten(statistic)} and not a text")
    rows = _numbers("rows", document.get("rows"))
    replicates = _numbers("replicates", document.get("replicates"), missing=True)
    n = document.get("n")
    whole = isinstance(n, int | float) and not isinstance(n, bool) and math.isfinite(n) and n == int(n)
    if n is not None and not (whole and n >= 0):
        raise InvalidMessage(f"'n' is {_shorten(n)} and not a count of rows")
    if rows is not None and n is not None and len(rows) != n:
        raise InvalidMessage(f"it has {len(rows)} rows, but n={int(n)}")
    value = document.get("value")
    if value is not None:
        value = _number("value", value)
    if rows is not None and statistic in STATISTICS:
        computed = _statistic_value(statistic, rows)
        if value is not None and not math.isclose(value, computed, rel_tol=_CLOSE, abs_tol=_CLOSE):
            raise InvalidMessage(f"its value is {value:g}, but the {statistic} of its rows {computed:g}")
        value = computed if value is None else value
    if value is None:
        raise InvalidMessage(
            "it has neither a value nor rows"
            if rows is None
            else f"'{statistic}' is none of {', '.join(STATISTICS)}: give its value too"
        )
    count = int(n) if n is not None else len(rows) if rows is not None else None
    return Metric(
        name=name,
        value=value,
        n=count,
        group=_group(document.get("group")),
        statistic=statistic,
        rows=rows,
        replicates=replicates,
        cell=cell,
        share=_share(document.get("share"), value, count),
        clusters=_clusters(document.get("clusters"), count),
        informative=_whole(document.get("informative")),
        undefined={str(label): str(why) for label, why in _mapping(document.get("undefined")).items()},
    )


def _share(given: Any, value: float, n: int | None) -> bool:
    if given not in (None, True, False):
        raise InvalidMessage(f"'share' is {_shorten(given)} and not true or false")
    if given and (n is None or not 0 <= value <= 1):
        raise InvalidMessage("a share is a value from 0 to 1, of n rows")
    return bool(given)


def _clusters(given: Any, n: int | None) -> tuple[int, ...] | None:
    numbers = _numbers("clusters", given)
    if numbers is None:
        return None
    if len(numbers) != n:
        raise InvalidMessage(f"it has {len(numbers)} clusters, one a row, but {n} rows")
    if not all(number == int(number) for number in numbers):
        raise InvalidMessage("'clusters' are whole numbers")
    return tuple(int(number) for number in numbers)


def _whole(given: Any) -> int | None:
    if given is not None and not (isinstance(given, int) and not isinstance(given, bool) and given >= 0):
        raise InvalidMessage(f"'informative' is {_shorten(given)} and not a count of rows")
    return given


def _mapping(given: Any) -> Mapping[str, Any]:
    if given is not None and not isinstance(given, Mapping):
        raise InvalidMessage(f"'undefined' is {_shorten(given)} and not an object of subgroups and reasons")
    return given or {}


def _statistic_value(statistic: str, rows: tuple[float, ...]) -> float:
    """Compute the statistic of rows; squares and sums of large rows may overflow."""
    try:
        computed = statistic_of(statistic, rows)
    except OverflowError:
        computed = math.inf
    if not math.isfinite(computed):
        raise InvalidMessage(f"the {statistic} of its rows is beyond all numbers: are they too large?")
    return computed


def _group(given: Any) -> dict[str, str]:
    if given is None or given == []:  # R writes an empty list
        return {}
    if not isinstance(given, Mapping):
        raise InvalidMessage(f"'group' is {_shorten(given)} and not an object such as {{'sex': 'F'}}")
    return {str(name): value if isinstance(value, str) else f"{value}" for name, value in given.items()}


def _number(where: str, given: Any) -> float:
    if isinstance(given, str):  # JSON has no such numbers; Python and R write texts
        given = _NOT_FINITE.get(given.lower(), given)
    if not isinstance(given, int | float):  # True counts as 1
        raise InvalidMessage(f"'{where}' is {_shorten(given)} and not a number")
    try:
        number = float(given)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise InvalidMessage(f"'{where}' is {'not a number (NaN)' if math.isnan(number) else 'infinite'}")
    return number


def _numbers(where: str, given: Any, *, missing: bool = False) -> tuple[float, ...] | None:
    """Read at least one finite number; ``missing`` allows NaN and null."""
    if given is None:
        return None
    if isinstance(given, Mapping):
        numbers: tuple[float, ...] = tuple(_unpacked(where, given))
    elif isinstance(given, list):
        if len(given) > MOST_ROWS:
            raise InvalidMessage(f"more than {MOST_ROWS} {where}")
        numbers = tuple(
            math.nan if missing and one is None else _as_float(where, i, one) for i, one in enumerate(given)
        )
    else:
        raise InvalidMessage(f"'{where}' is {_shorten(given)} and not a list of numbers")
    if not numbers:
        raise InvalidMessage(f"'{where}' is empty")
    if not missing:
        for position, one in enumerate(numbers):
            if not math.isfinite(one):
                what = "not a number (NaN)" if math.isnan(one) else "infinite"
                raise InvalidMessage(f"the {_ordinal(position + 1)} of '{where}' is {what}")
    return numbers


def _as_float(where: str, position: int, given: Any) -> float:
    if not isinstance(given, int | float):
        raise InvalidMessage(f"the {_ordinal(position + 1)} of '{where}' is {_shorten(given)} and not a number")
    try:
        return float(given)
    except OverflowError:
        return math.inf


def _unpacked(where: str, given: Mapping[str, Any]) -> array[float]:
    if given.get("encoding") != "zlib+base64" or given.get("dtype") != "<f8" or not isinstance(given.get("data"), str):
        raise InvalidMessage(
            f"packed '{where}' are {{'encoding': 'zlib+base64', 'dtype': '<f8', 'data': …}}: a text in base64"
        )
    most = 8 * MOST_ROWS
    try:
        decompressor = zlib.decompressobj()
        content = decompressor.decompress(base64.b64decode(given["data"], validate=True), most + 1)
    except (zlib.error, binascii.Error, ValueError) as error:
        raise InvalidMessage(f"'{where}' cannot be unpacked: {error}") from None
    if len(content) > most:
        raise InvalidMessage(f"more than {MOST_ROWS} {where}")
    if not decompressor.eof or len(content) % 8:
        raise InvalidMessage(f"'{where}' cannot be unpacked: it is cut off")
    numbers = array("d")
    numbers.frombytes(content)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def _ordinal(number: int) -> str:
    """Format an ordinal such as ``2nd``, which does not depend on the first index of a language."""
    last = number % 10 if number % 100 not in (11, 12, 13) else 0
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(last, 'th') }"


def _shorten(given: Any) -> str:
    words = repr(given)
    return words if len(words) <= 40 else f"{words[:40]}…"
