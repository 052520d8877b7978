"""Metrics of notebooks as the documents that ``docs/validation.md`` describes."""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from time import perf_counter
from typing import Any

import numpy as np

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.evidence.statistic import STATISTICS, statistic_of
from jupyter_deploy.domain.gates.gate import metric_label

from .resampling import REPLICATES, distinct_counts, rarer_class, replicates_of

Statistic = str | Callable[..., Any]

MOST_LISTED = 2000
"""Numbers of a list in a document; longer ones are packed."""

_LONG_SECONDS = 3
"""Resampling that takes longer prints a message."""

MOST_GROUPS = 200
_MISSING = "missing"


@dataclass(frozen=True)
class Measured:
    """One metric of one subgroup; ``dropped`` replicates gave no number.

    See ``domain.validation.validation.Metric`` for the other fields.
    """

    name: str
    value: float
    n: int | None
    group: Mapping[str, str]
    statistic: str
    rows: Any = None
    replicates: Any = None
    dropped: int = 0
    share: bool = False
    clusters: Any = None
    informative: int | None = None
    undefined: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Return the name in gates: ``accuracy[sex=F]``."""
        return _title(self.name, self.group)

    def document(self) -> dict[str, Any]:
        """Return the document for programs."""
        found = {
            "kind": "metric",
            "name": self.name,
            "value": self.value,
            "n": self.n,
            "group": dict(self.group),
            "statistic": self.statistic,
        }
        for key, numbers in (("rows", self.rows), ("replicates", self.replicates), ("clusters", self.clusters)):
            if numbers is not None:
                found[key] = pack(numbers)
        if self.informative is not None:
            found["informative"] = self.informative
        if self.share:
            found["share"] = True
        if self.undefined:
            found["undefined"] = dict(self.undefined)
        return found

    def words(self) -> str:
        """Return the text for people: ``accuracy = 0.947 (mean of 200 rows)``."""
        if self.n is None:
            return f"{self.title} = {self.value:.6g}"
        of = f"{self.statistic} of {self.n} rows" if self.rows is not None else f"n={self.n}"
        if self.clusters is not None:
            of += f" in {len(np.unique(self.clusters))} clusters"
        left = f"; {self.dropped} of {REPLICATES} resamples gave no number" if self.dropped else ""
        without = "".join(f"; {label} is not defined: {why}" for label, why in self.undefined.items())
        return f"{self.title} = {self.value:.6g} ({of}{left}{without})"


def pack(numbers: Any) -> list[float | None] | dict[str, str]:
    """Encode numbers as JSON: a list (null for NaN), or beyond ``MOST_LISTED`` compressed doubles."""
    if len(numbers) <= MOST_LISTED:
        return [number if math.isfinite(number) else None for number in numbers.tolist()]
    data = base64.b64encode(zlib.compress(np.asarray(numbers, "<f8").tobytes(), 6)).decode("ascii")
    return {"encoding": "zlib+base64", "dtype": "<f8", "data": data}


def measure(
    name: str,
    *,
    value: Any = None,
    n: Any = None,
    rows: Any = None,
    group: Mapping[str, Any] | None = None,
    statistic: Statistic = "mean",
    by: Any = None,
    share: bool = False,
    cluster: Any = None,
) -> Iterator[Measured]:
    """Yield the metric, and one more for each subgroup of ``by`` in which a function of the rows is defined.

    Raises
    ------
    InvalidInput
        The metric is invalid; the message names it.
    """
    of = {str(key): str(each) for key, each in (group or {}).items()}
    title = _title(name, of)
    if not isinstance(name, str) or not name.isidentifier() or name == "stable":
        raise InvalidInput(
            f"{name!r} cannot name a metric", "gates name it: letters, digits and _, such as 'accuracy' or 'rmse_eur'"
        )
    if (value is None) == (rows is None):
        raise InvalidInput(
            f"metric '{title}' needs a value or rows, and not both",
            f"write metric('{name}', 0.93, n=200) or metric('{name}', rows=(y == predicted))",
        )
    if rows is None:
        if by is not None or cluster is not None or callable(statistic):
            raise InvalidInput(f"metric '{title}': subgroups and functions need rows, clusters too", "give rows")
        yield _given(title, Measured(name, _number(title, value), _count(title, n), of, statistic, share=bool(share)))
        return
    if share:
        raise InvalidInput(f"metric '{title}': share=True is for a value of n rows", "leave it out: rows say it")
    taken = _Rows(title, rows, statistic, cluster)
    if n is not None and _count(title, n) != taken.n:
        raise InvalidInput(f"metric '{title}': n is {n}, but there are {taken.n} rows", "leave n out")
    whole = taken.measure(name, of, None)
    parts: list[Measured] = []
    undefined: dict[str, str] = {}
    for more, chosen in _subgroups(title, by, taken.n) if by is not None else ():
        try:
            parts.append(taken.measure(name, of | more, chosen))
        except UndefinedError as error:
            undefined[metric_label(name, of | more)] = str(error)
    yield replace(whole, undefined=undefined)
    yield from parts


def _given(title: str, given: Measured) -> Measured:
    """Check a value that is declared as a share."""
    if given.share and given.n is None:
        raise InvalidInput(f"metric '{title}': a share needs the number of its rows", "add n=")
    if given.share and not 0 <= given.value <= 1:
        raise InvalidInput(f"metric '{title}' is {given.value:g}, which is no share", "give a number from 0 to 1")
    return given


class UndefinedError(ValueError):
    """A function of the rows has no value on a subgroup, such as an area under a curve on one class."""


class _Rows:
    """A metric's rows, from which its metrics are calculated."""

    def __init__(self, title: str, rows: Any, statistic: Statistic, cluster: Any) -> None:
        self._title = title
        self._statistic = statistic
        if callable(statistic):
            given = rows if isinstance(rows, tuple) else (rows,)
            self._arrays = [_array(title, each) for each in given]
        elif statistic in STATISTICS:
            self._arrays = [_numbers(title, rows)]
        else:
            raise InvalidInput(
                f"metric '{title}': there is no statistic '{statistic}'",
                f"use one of {', '.join(STATISTICS)}, or a function of the rows, such as roc_auc_score",
            )
        lengths = [len(each) for each in self._arrays]
        if len(set(lengths)) > 1:
            raise InvalidInput(f"metric '{title}': rows of different lengths, {', '.join(map(str, lengths))}", "")
        self.n = lengths[0] if lengths else 0
        if self.n == 0:
            raise InvalidInput(f"metric '{title}' has no rows", "is the table empty, or does a filter leave nothing?")
        self._clusters = None if cluster is None else _cluster_codes(title, cluster, self.n)

    def measure(self, name: str, group: Mapping[str, str], chosen: Any) -> Measured:
        arrays = self._arrays if chosen is None else [each[chosen] for each in self._arrays]
        clusters = self._clusters if chosen is None or self._clusters is None else self._clusters[chosen]
        title, count = _title(name, group), len(arrays[0])
        if isinstance(self._statistic, str):
            value = _number(title, statistic_of(self._statistic, arrays[0].tolist()))
            return Measured(name, value, count, group, self._statistic, rows=arrays[0], clusters=clusters)
        called = getattr(self._statistic, "__name__", type(self._statistic).__name__)
        began = perf_counter()
        value = self._call(title, arrays) if chosen is None else self._call_on_subgroup(title, arrays)
        if (long := (perf_counter() - began) * REPLICATES) >= _LONG_SECONDS:
            print(f"resampling {title}: {called} is called {REPLICATES} times, for about {long:.0f} s")
        replicates = replicates_of(self._statistic, arrays, count, clusters)
        return Measured(
            name,
            value,
            count,
            group,
            called,
            replicates=replicates,
            dropped=int(np.isnan(replicates).sum()),
            clusters=clusters,
            informative=rarer_class(arrays, clusters),
        )

    def _call(self, title: str, arrays: list[Any]) -> float:
        return _number(title, self._statistic(*arrays)) if callable(self._statistic) else math.nan

    def _call_on_subgroup(self, title: str, arrays: list[Any]) -> float:
        """Call the function on a subgroup's rows.

        Raises
        ------
        UndefinedError
            The function raised or gave no number.
        """
        import warnings

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # an undefined metric is reported below
                return self._call(title, arrays)
        except Exception as error:
            single = len(distinct_counts(arrays[0])) == 1
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise UndefinedError(f"its {len(arrays[0])} rows have one class" if single else lines[0]) from error


def _subgroups(title: str, by: Any, count: int) -> Iterator[tuple[dict[str, str], Any]]:
    """Yield each value of each column, and each combination of several columns, with the positions of its rows."""
    columns = _columns(title, by, count)
    several = [tuple(columns)] if len(columns) > 1 else []
    for names in [*((name,) for name in columns), *several]:
        members: dict[tuple[str, ...], list[int]] = {}
        for place, labels in enumerate(zip(*(columns[name] for name in names), strict=True)):
            members.setdefault(labels, []).append(place)
        if len(members) > MOST_GROUPS:
            raise InvalidInput(
                f"metric '{title}': {', '.join(names)} has {len(members)} different values",
                f"make at most {MOST_GROUPS} groups of them, such as with pandas.cut",
            )
        for labels, places in sorted(members.items()):
            yield dict(zip(names, labels, strict=True)), np.asarray(places)


def _cluster_codes(title: str, cluster: Any, count: int) -> Any:
    """Number the clusters of the rows in the order of their labels."""
    labels = [_label(each) for each in _array(title, cluster).tolist()]
    if len(labels) != count:
        raise InvalidInput(f"metric '{title}': {count} rows, but {len(labels)} values of 'cluster'", "")
    if _MISSING in labels:
        at = labels.index(_MISSING)
        raise InvalidInput(f"metric '{title}': row {at} has no cluster", "leave such rows out, or give each its own")
    return np.unique(labels, return_inverse=True)[1].astype(np.float64)


def _columns(title: str, by: Any, count: int) -> dict[str, list[str]]:
    if isinstance(by, Mapping):
        found = {str(name): _array(title, values) for name, values in by.items()}
    elif hasattr(by, "columns"):
        found = {str(name): _array(title, by[name]) for name in by.columns}
    elif getattr(by, "name", None) is not None:
        found = {str(by.name): _array(title, by)}
    else:
        raise InvalidInput(
            f"metric '{title}': what is 'by' called?", "give a Series with a name, a frame, or {'sex': values}"
        )
    for name, values in found.items():
        if len(values) != count:
            raise InvalidInput(f"metric '{title}': {count} rows, but {len(values)} values of '{name}' to group by", "")
    return {name: [_label(value) for value in values.tolist()] for name, values in found.items()}


def _label(value: Any) -> str:
    is_nan = isinstance(value, float | np.floating | Decimal) and math.isnan(value)
    missing = value is None or is_nan or str(value) in ("NaT", "<NA>")
    return _MISSING if missing else str(value)


def _array(title: str, values: Any) -> Any:
    """Convert a metric's rows to an array of any type."""
    if hasattr(values, "detach"):  # a tensor with a gradient
        values = values.detach().cpu()
    try:
        found = np.asarray(values)
    except Exception as error:
        raise InvalidInput(f"metric '{title}': its rows are no array: {error}", "give one value a row") from error
    if found.ndim == 0:
        raise InvalidInput(f"metric '{title}': its rows are one {type(values).__name__}", "give one value a row")
    return found


def _numbers(title: str, rows: Any) -> Any:
    """Convert rows of one finite number each to doubles."""
    found = _array(title, rows)
    if found.ndim != 1:
        raise InvalidInput(f"metric '{title}': its rows have the shape {found.shape}", "give one number a row")
    if found.dtype.kind not in "biuf":
        words = [place for place, value in enumerate(found.tolist()) if not _is_number(value)]
        if words or found.dtype.kind != "O":
            place = words[0] if words else 0
            raise InvalidInput(
                f"metric '{title}': row {place} is {found.tolist()[place]!r}, which is no number",
                "give one number or one true/false a row",
            )
    numbers = found.astype(np.float64)
    invalid = np.flatnonzero(~np.isfinite(numbers))
    if len(invalid):
        raise InvalidInput(
            f"metric '{title}': row {invalid[0]} is {numbers[invalid[0]]}, and so are {len(invalid) - 1} more"
            if len(invalid) > 1
            else f"metric '{title}': row {invalid[0]} is {numbers[invalid[0]]}",
            "say what a row without a number means, such as a wrong answer, or leave those rows out and say so by n",
        )
    return numbers


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) or hasattr(value, "__float__")


def _number(title: str, value: Any) -> float:
    if isinstance(value, str | bytes) or value is None:
        raise InvalidInput(f"metric '{title}' is {value!r}, which is no number", "give a finite number")
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise InvalidInput(
            f"metric '{title}' is no number but a {type(value).__name__}", "give a finite number, or rows="
        ) from error
    if not math.isfinite(number):
        raise InvalidInput(f"metric '{title}' is {number}", "is there a division by zero, or a missing value?")
    return number


def _count(title: str, n: Any) -> int | None:
    if n is None:
        return None
    number = _number(title, n)
    if number != int(number) or number < 1:
        raise InvalidInput(f"metric '{title}': n is {n!r}, which is no number of rows", "give a whole number above 0")
    return int(number)


def _title(name: Any, group: Mapping[str, str]) -> str:
    inside = ", ".join(f"{key}={value}" for key, value in group.items())
    return f"{name}[{inside}]" if inside else str(name)
