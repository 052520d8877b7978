"""A feature lookup: its definition, which travels with the model, and its cache in a process."""

from __future__ import annotations

import math
import re
import sys
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from ..connections import ResourceUnavailable
from .sources import KEY, KEYS, MOST_KEYS, Features, LookupFailed, as_schema, by_redis, by_sql

_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(s|m|h|d)\s*")
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}

ENTRIES = 10_000
"""Keys in the cache of a process, unless the definition says otherwise."""


class FeatureLookup:
    """The definition of features that are looked up by a key; see ``jupyter_deploy.feature_lookup``.

    Raises
    ------
    ValueError
        The definition is incomplete or contradicts itself.
    """

    def __init__(
        self,
        connection: Callable[[], Any],
        *,
        key: str,
        sql: str | None = None,
        redis_hash: str | None = None,
        fields: Sequence[str] = (),
        max_age: float | str = 0,
        entries: int = ENTRIES,
        missing: str | Mapping[str, Any] = "refuse",
    ) -> None:
        if not callable(connection):
            raise ValueError(  # noqa: TRY004 - as the other errors of a definition
                f"the connection of a lookup is a function, not a {type(connection).__name__}: decorate one that "
                "connects with @jupyter_deploy.connection"
            )
        if (sql is None) == (redis_hash is None):
            raise ValueError("name either sql='SELECT … WHERE id IN ({keys})' or redis_hash='customer:{key}'")
        if sql is not None and KEYS not in sql:
            raise ValueError(f"the query has no {KEYS}: write, for example, WHERE id IN ({KEYS})")
        if redis_hash is not None and KEY not in redis_hash:
            raise ValueError(f"the name of the hash has no {KEY}: write, for example, redis_hash='customer:{KEY}'")
        if (redis_hash is None) == bool(fields):
            raise ValueError("fields are those of a Redis hash; the features of a query are its columns")
        if not isinstance(missing, Mapping) and missing != "refuse":
            raise ValueError(f"missing is 'refuse' or a dict of defaults by feature, not {missing!r}")
        if entries < 1:
            raise ValueError(f"a cache of {entries} keys holds none; without max_age nothing is cached")
        self.connection, self.key = connection, key
        self.sql, self.redis_hash, self.fields = sql, redis_hash, tuple(fields)
        self.max_age = seconds_of(max_age)
        self.entries = entries
        self.missing = dict(missing) if isinstance(missing, Mapping) else None

    def __repr__(self) -> str:
        return f"feature_lookup by {self.key} ({'a query' if self.sql else f'Redis, {self.redis_hash}'})"

    def __reduce__(self) -> tuple[Any, ...]:
        """Refer to ``jupyter_deploy.feature_lookup``, which a bento has too."""
        package = sys.modules["jupyter_deploy"]  # in a bento the stand-in
        options = {
            "key": self.key,
            "sql": self.sql,
            "redis_hash": self.redis_hash,
            "fields": self.fields,
            "max_age": self.max_age,
            "entries": self.entries,
            "missing": "refuse" if self.missing is None else self.missing,
        }
        return partial(package.feature_lookup, **options), (self.connection,)

    def fetch(self, keys: Sequence[Any], as_of: datetime | None = None) -> tuple[tuple[str, ...], dict[Any, Features]]:
        """Ask the resource for some keys, none twice.

        Parameters
        ----------
        as_of
            The moment of which the features are (default: now); of no effect if the query has no ``{as_of}``.

        Returns
        -------
        tuple of str, dict
            The names of the features, and the values by key; unknown keys are left out.

        Raises
        ------
        ResourceUnavailable
            The connection cannot be made.
        LookupFailed
            The query fails, or its result does not fit the definition.
        """
        connection = self.connection()
        features = self.fields
        moment = as_of or datetime.now(UTC)
        found: dict[Any, Features] = {}
        try:
            for begin in range(0, len(keys), MOST_KEYS):
                some = keys[begin : begin + MOST_KEYS]
                if self.sql is None:
                    found |= by_redis(connection, str(self.redis_hash), self.fields, some)
                else:
                    features, more = by_sql(connection, self.sql, self.key, some, moment)
                    found |= more
        except (LookupFailed, ResourceUnavailable):
            raise
        except Exception as error:
            raise LookupFailed(f"the lookup by {self.key} failed: {type(error).__name__}: {error}") from error
        return features, found

    def features(self) -> tuple[str, ...]:
        """Return the names of the features, by a query for a key that no row has; raises as ``fetch``."""
        return self.fetch([None])[0]

    def table(self, frame: Any, as_of: str | None = None) -> Any:
        """Return a frame of pandas with the features that requests get, as a training table needs them.

        Parameters
        ----------
        frame
            Has the key, as a column or as the index of that name, and none of the features.
        as_of
            The column with the moment of each row: its features are those of then (default: those of now). The query
            has ``{as_of}``, such as ``AND valid_from <= {as_of}``. One query is run for each distinct moment.

        Returns
        -------
        pandas.DataFrame
            A copy with one column for each feature; a key without a row has the defaults of ``missing``, else null.

        Raises
        ------
        ValueError
            The frame does not fit: the error says how.
        ResourceUnavailable, LookupFailed
            As ``fetch``.
        """
        from .training import with_features  # only where a model is trained

        def found(keys: Sequence[Any], moment: datetime | None) -> Mapping[Any, Features]:
            defaults = dict.fromkeys(keys, self.missing) if self.missing is not None else {}
            return {**defaults, **self.fetch(keys, moment)[1]}

        return with_features(frame, self.key, as_of, self.sql, names=self.features, fetch=found)


class ReleaseLookup:
    """A lookup of a release in one process: the values in the types of its features, and the cache.

    One thread at a time uses it.

    Parameters
    ----------
    schemas
        The JSON Schema of each feature.
    """

    def __init__(self, definition: FeatureLookup, schemas: Mapping[str, Mapping[str, Any]]) -> None:
        self.key = definition.key
        self.features = tuple(schemas)
        self._definition, self._schemas = definition, schemas
        self._cache: OrderedDict[Any, tuple[float, Features]] = OrderedDict()

    def values(self, keys: Iterable[Any]) -> dict[Any, Features]:
        """Return the features by key, with the defaults of unknown keys; without defaults these are left out.

        Raises
        ------
        ResourceUnavailable, LookupFailed
            As ``FeatureLookup.fetch``.
        """
        wanted = list(dict.fromkeys(keys))
        now = time.monotonic()
        result = {key: known for key in wanted if (known := self._cached(key, now)) is not None}
        if unknown := [key for key in wanted if key not in result]:
            _, found = self._definition.fetch(unknown)
            fresh = {key: self._typed(found[key]) for key in unknown if key in found}
            if self._definition.max_age:
                self._keep(fresh, now)
            result |= fresh
        if (defaults := self._definition.missing) is not None:
            result |= {key: defaults for key in wanted if key not in result}
        return result

    def check(self) -> None:
        """Run the query with a key that no row has; raises as ``values``."""
        self._definition.features()

    def _typed(self, values: Features) -> Features:
        return {name: as_schema(values.get(name), schema) for name, schema in self._schemas.items()}

    def _cached(self, key: Any, now: float) -> Features | None:
        until, values = self._cache.get(key, (0.0, None))
        if values is None or until <= now:
            return None
        self._cache.move_to_end(key)
        return values

    def _keep(self, fresh: Mapping[Any, Features], now: float) -> None:
        until = now + self._definition.max_age
        for key, values in fresh.items():
            self._cache[key] = until, values
            self._cache.move_to_end(key)
        while len(self._cache) > self._definition.entries:
            self._cache.popitem(last=False)


def seconds_of(duration: float | str) -> float:
    """Return ``90``, ``"90s"``, ``"15m"``, ``"1h"`` or ``"2d"`` in seconds.

    Raises
    ------
    ValueError
        It is no duration.
    """
    if isinstance(duration, str):
        match = _DURATION.fullmatch(duration)
        if match is None:
            raise ValueError(f"'{duration}' is not a duration: write 90s, 15m, 1h or 2d")
        return float(match[1]) * _SECONDS[match[2]]
    if isinstance(duration, bool) or not 0 <= duration < math.inf:
        raise ValueError(f"{duration!r} is not a number of seconds")
    return float(duration)
