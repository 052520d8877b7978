"""Features of a training table: those that a request would have got at the moment of each row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from ..values.json_values import to_json
from .sources import AS_OF, Features

Fetch = Callable[[Sequence[Any], datetime | None], Mapping[Any, Features]]

_SHOWN = 5


def with_features(
    frame: Any,
    key: str,
    as_of: str | None,
    statement: str | None,
    *,
    names: Callable[[], Sequence[str]],
    fetch: Fetch,
) -> Any:
    """Return a copy of a frame of pandas with the looked-up features as columns.

    Parameters
    ----------
    statement
        The query of the lookup; None: it has none.
    names
        Returns the names of the features, by a query.
    fetch
        Returns the features by key, as of a moment; None: now.

    Raises
    ------
    ValueError
        The frame has not the columns, or values that are no keys and no moments: before a query. Or it has a feature.
    """
    _require_frame(frame, as_of, statement)
    keys, moments = _keys(frame, key), _moments(frame, as_of)
    features = names()
    twice = [name for name in features if name in frame.columns]
    if twice:
        raise ValueError(f"the frame has {_named(twice)} already: drop it before the lookup")
    wanted: dict[datetime | None, dict[Any, None]] = {}
    for own, moment in zip(keys, moments, strict=True):
        wanted.setdefault(moment, {})[own] = None
    found = {moment: fetch(list(own), moment) for moment, own in wanted.items()}
    rows = [found[moment].get(own, {}) for own, moment in zip(keys, moments, strict=True)]
    result = frame.copy()
    for name in features:
        result[name] = [row.get(name) for row in rows]
    return result


def _require_frame(frame: Any, as_of: str | None, statement: str | None) -> None:
    """Raise ValueError for no frame, and for a query that knows no moments."""
    if not hasattr(frame, "iloc") or not hasattr(frame, "columns"):
        raise ValueError(f"a {type(frame).__name__} is no frame of pandas: give one, such as frame.to_pandas()")
    if statement is None:
        raise ValueError("a Redis hash has texts, and of now alone: look training tables up where Redis is filled from")
    if as_of is not None and AS_OF not in statement:
        raise ValueError(f"the query has no {AS_OF}, so it knows no former time: add … AND valid_from <= {AS_OF}")


def _keys(frame: Any, key: str) -> list[Any]:
    if key in frame.columns:
        values = frame[key].tolist()
    elif frame.index.name == key:
        values = frame.index.tolist()
    else:
        raise ValueError(f"the frame has no column '{key}': it has {', '.join(map(str, frame.columns[:20]))}")
    keys = [_key(value) for value in to_json(values)]
    wrong = [number for number, one in enumerate(keys) if isinstance(one, bool) or not isinstance(one, int | str)]
    if wrong:
        raise ValueError(f"'{key}' has no whole number and no text in {_rows(wrong)}: drop these rows")
    return keys


def _key(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _moments(frame: Any, as_of: str | None) -> list[datetime | None]:
    if as_of is None:
        return [None] * len(frame)
    if as_of not in frame.columns:
        raise ValueError(f"the frame has no column '{as_of}': it has {', '.join(map(str, frame.columns[:20]))}")
    column = frame[as_of]
    if column.dtype.kind != "M":
        raise ValueError(f"'{as_of}' is a column of {column.dtype}, and not of moments: use pandas.to_datetime")
    missing = [number for number, one in enumerate(column.isna()) if one]
    if missing:
        raise ValueError(f"'{as_of}' has no moment in {_rows(missing)}: drop these rows")
    # Databases know microseconds: a later moment would see features of the future.
    return [moment.to_pydatetime() for moment in column.dt.floor("us")]


def _rows(numbers: Sequence[int]) -> str:
    more = f" and {len(numbers) - _SHOWN} more" if len(numbers) > _SHOWN else ""
    return f"row{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers[:_SHOWN]))}{more}"


def _named(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
