"""Keys in the columns of a table: the missing features of all its rows are looked up before the model gets them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from ..asgi.problems import Problem
from ..connections import ResourceUnavailable, after_failure
from ..protocols.csv_tables import value_of
from ..values.json_values import to_json
from ..values.validation import InvalidInstances, Validator
from .decoder import LookupDecoder, looked_up, named_key, needs, refuses_data
from .lookup import ReleaseLookup
from .sources import Features, LookupFailed

MOST_REFUSED = 100
"""Keys that a database may refuse as values; more end the call, since each is found by halving the keys."""

_OPEN = {"type": "object", "additionalProperties": False}

Errors = list[dict[str, Any]]


@dataclass
class Completed:
    """A table with all features.

    Attributes
    ----------
    table
        The features as columns; a looked-up one is null in a row with an error.
    errors
        Of rows that cannot be completed, as those of ``InvalidInstances``.
    keys
        For each looked-up feature the name of its key, and the key of each row.
    """

    table: pa.Table
    errors: Errors = field(default_factory=list)
    keys: dict[str, tuple[str, pa.Array]] = field(default_factory=dict)

    def origin(self, row: int, feature: str) -> str:
        """Return the words that follow a value's error: the key by which it was looked up; else none."""
        if feature not in self.keys:
            return ""
        key, column = self.keys[feature]
        return looked_up(key, column[row].as_py())

    def explained(self, invalid: InvalidInstances) -> InvalidInstances:
        """Return the errors of values with the keys by which they were looked up."""
        errors = []
        for error in invalid.errors:
            _, *place = error["loc"]
            words = self.origin(place[0], str(place[1])) if len(place) > 1 else ""
            errors.append({"loc": error["loc"], "msg": error["msg"] + words})
        return InvalidInstances(errors)


class TableLookups:
    """Completes tables by the lookups of a release, with the cache that its requests have too.

    One thread at a time uses it.
    """

    def __init__(self, decoder: LookupDecoder, schema: Mapping[str, Any], keys: Mapping[str, Any]) -> None:
        self._lookups = decoder.lookups
        self._dropped = decoder.dropped
        self._schema = schema
        properties = schema["properties"]
        self._keys = {key: properties.get(key, own) for key, own in keys.items()}
        self._validators: dict[tuple[str, ...], Validator] = {}
        self._refused = 0

    def columns(self, names: Collection[str]) -> list[str]:
        """Return the columns that are read of a table with these columns: its features, and the keys of others."""
        keys = [lookup.key for lookup in self._lookups if needs(lookup, names)]
        return [name for name in dict.fromkeys((*self._schema["properties"], *keys)) if name in names]

    def missing(self, names: Collection[str]) -> dict[str, str]:
        """Return the features that a table with these columns lacks, with their keys (empty: it has none)."""
        by = {feature: lookup.key for lookup in self._lookups for feature in lookup.features}
        lacking = [name for name in self._schema["properties"] if name not in names]
        return {name: by.get(name, "") for name in lacking if by.get(name) not in names}

    def completed(self, table: pa.Table, *, texts: bool = False) -> Completed:
        """Look the features up that a table leaves out, for all its rows by one query a lookup.

        A column that the table has is kept as it is, and needs no key.

        Parameters
        ----------
        texts
            Keys are texts of a CSV file, which become values of their schema.

        Raises
        ------
        Problem
            The columns of the keys, or the values of a feature, are of a kind that no table can have.
        ResourceUnavailable, LookupFailed
            The resource is away, or the query fails.
        """
        names = table.column_names
        self._refused = 0
        result = Completed(table.drop_columns([name for name in names if name in self._dropped]))
        for lookup in self._lookups:
            if needs(lookup, names):
                self._complete(lookup, table.column(lookup.key).combine_chunks(), result, texts=texts)
        result.errors.sort(key=lambda error: int(error["loc"][1]))
        return result

    def _complete(self, lookup: ReleaseLookup, column: Any, result: Completed, *, texts: bool) -> None:
        """Add the features of one lookup, or the errors of rows."""
        wanted = tuple(name for name in lookup.features if name not in result.table.column_names)
        rows, keys = _distinct(lookup.key, column)
        if texts:
            keys = [value_of(key, self._keys[lookup.key]) if isinstance(key, str) else key for key in keys]
        errors: dict[int, Errors] = {}
        checked = self._validated([{lookup.key: key} for key in keys], errors)
        good: dict[int, Any] = {}
        for place, document in checked.items():
            key = document[lookup.key]
            if isinstance(key, str) and "\0" in key:
                errors[place] = [{"loc": ["instances", 0, lookup.key], "msg": "must not contain a NUL character"}]
            else:
                good[place] = key
        found = self._values(lookup, [key for key in dict.fromkeys(good.values()) if key is not None])
        documents = {}
        for place, key in good.items():
            if key in found:
                documents[place] = {name: found[key].get(name) for name in wanted}
            else:
                words = f"there are no features of {named_key(lookup.key, key)}"
                errors[place] = [{"loc": ["instances", 0, lookup.key], "msg": words}]
        features = self._features(lookup.key, good, documents, errors)
        self._add(result, features, wanted, rows)
        result.errors += _of_rows(errors, rows)
        result.keys |= dict.fromkeys(wanted, (lookup.key, column))

    def _features(
        self, key: str, keys: Mapping[int, Any], documents: Mapping[int, Features], errors: dict[int, Errors]
    ) -> dict[int, Features]:
        """Return the features that the model takes, and note the errors of the others, which name the key."""
        wrong: dict[int, Errors] = {}
        places = list(documents)
        checked = self._validated(list(documents.values()), wrong)
        for number, found in wrong.items():
            words = looked_up(key, keys[places[number]])
            errors[places[number]] = [{"loc": one["loc"], "msg": one["msg"] + words} for one in found]
        return {places[number]: document for number, document in checked.items()}

    @staticmethod
    def _add(result: Completed, features: Mapping[int, Features], wanted: Sequence[str], rows: Any) -> None:
        last = int(rows.max(initial=-1)) + 1
        for name in wanted:
            values = [features[place][name] if place in features else None for place in range(last)]
            result.table = result.table.append_column(name, _array(name, values).take(pa.array(rows)))

    def _validated(self, documents: Sequence[Features], errors: dict[int, Errors]) -> dict[int, Features]:
        """Return the documents that fit, by their places, and note the errors of the others."""
        if not documents:
            return {}
        names = tuple(documents[0])
        if names not in self._validators:
            properties = {name: self._keys.get(name) or self._schema["properties"][name] for name in names}
            own = {"properties": properties, "required": list(names), "$defs": self._schema.get("$defs", {})}
            self._validators[names] = Validator(_OPEN | own)
        validator = self._validators[names]
        try:
            return dict(enumerate(validator.validated(documents)))
        except InvalidInstances:
            result = {}
            for place, document in enumerate(documents):  # its errors are of the first ones alone
                try:
                    (result[place],) = validator.validated([document])
                except InvalidInstances as invalid:
                    errors[place] = invalid.errors
            return result

    def _values(self, lookup: ReleaseLookup, keys: Sequence[Any]) -> Mapping[Any, Features]:
        """Return the features by key, without keys that the database refuses as values."""
        if not keys:
            return {}
        try:
            return _asked(lookup, keys)
        except LookupFailed as failed:
            if not refuses_data(failed):
                raise
            if len(keys) == 1:
                self._refused += 1
                if self._refused > MOST_REFUSED:
                    raise LookupFailed(f"the database refuses more than {MOST_REFUSED} keys: {failed}") from failed
                return {}
        middle = len(keys) // 2
        return {**self._values(lookup, keys[:middle]), **self._values(lookup, keys[middle:])}


def _asked(lookup: ReleaseLookup, keys: Sequence[Any]) -> Mapping[Any, Features]:
    """Return the features by key; a connection that broke since its last use is made again once."""
    try:
        return lookup.values(keys)
    except LookupFailed:
        if after_failure() is None:
            raise
    try:
        return lookup.values(keys)
    except LookupFailed as failed:
        seconds = after_failure()
        if seconds is None:
            raise
        raise ResourceUnavailable(f"the connection of the lookup by {lookup.key} broke: {failed}", seconds) from failed


def _distinct(key: str, column: Any) -> tuple[Any, list[Any]]:
    """Return the place of each row's key among the distinct ones, and these as JSON values."""
    try:
        encoded = column.dictionary_encode(null_encoding="encode")
        return encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64), to_json(encoded.dictionary.to_pylist())
    except Exception as error:  # pyarrow raises a class of its own for each type
        words = f"is a column of {str(column.type)[:80]}, and keys are whole numbers or texts"
        raise Problem(
            422, f"the table does not fit: {key}: {words}", [{"loc": ["instances", key], "msg": words}]
        ) from error


def _of_rows(errors: Mapping[int, Errors], rows: Any) -> Errors:
    """Return the errors of the rows with these keys."""
    if not errors:
        return []
    numbers = np.flatnonzero(np.isin(rows, list(errors)))
    return [
        {"loc": ["instances", int(row), *error["loc"][2:]], "msg": error["msg"]}
        for row in numbers
        for error in errors[int(rows[row])]
        if len(error["loc"]) > 2
    ]


def _array(name: str, values: list[Any]) -> pa.Array:
    try:
        array = pa.array(values)
        same = array.to_pylist() == values
    except (pa.ArrowException, OverflowError):
        same = False
    if not same:
        words = "its looked-up values are of several types, which a column cannot have: bring the feature in the table"
        raise Problem(422, f"the table does not fit: {name}: {words}", [{"loc": ["instances", name], "msg": words}])
    return array
