"""The decoder of a release with lookups: rows may have keys in place of features."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any

from ..dispatch.parsed_request import ParsedRequest
from ..values.codec import Codec, InvalidInstances
from ..values.decoding import Decoder
from ..values.validation import Validator
from .lookup import FeatureLookup, ReleaseLookup
from .schema import partial_schema
from .sources import Features, LookupFailed


class KeyedRequest(ParsedRequest):
    """A parsed request of which some features are still to be looked up.

    Attributes
    ----------
    content
        None until ``LookupDecoder.batch`` has completed the rows; ``inputs`` are then the complete rows.
    keyed
        The rows as they came.
    error
        The reason for which they cannot be completed.
    """

    __slots__ = ("error", "keyed")

    def __init__(self, instances: list[Any]) -> None:
        super().__init__(None, len(instances), instances)
        self.keyed = instances
        self.error: InvalidInstances | None = None


class LookupDecoder(Decoder):
    """Decodes requests whose rows are complete as ``Decoder`` does, and completes the others.

    Parameters
    ----------
    definitions
        The lookups of the snapshot.
    descriptions
        ``lookups`` of ``snapshot.json``, in the same order.

    Attributes
    ----------
    lookups
        The lookups in this process, with their caches.
    dropped
        The names of the keys that the model does not take.
    """

    looks_up = True

    def __init__(
        self, codec: Codec, definitions: Sequence[FeatureLookup], descriptions: Sequence[Mapping[str, Any]]
    ) -> None:
        super().__init__(codec)
        properties = codec.schema["properties"]
        self.lookups = [
            ReleaseLookup(definition, {name: properties[name] for name in described["features"]})
            for definition, described in zip(definitions, descriptions, strict=True)
        ]
        self._partial = Validator(partial_schema(codec.schema, descriptions))
        self._required = frozenset(codec.schema.get("required", ()))
        self.dropped = {lookup.key for lookup in self.lookups} - set(properties)

    def batch(self, parsed_requests: Sequence[ParsedRequest]) -> Any:
        """Return the model's argument; the features of all requests are looked up by one query a lookup.

        Raises
        ------
        InvalidInstances
            A request cannot be completed. Its error and the completed rows of the others are kept: no request is looked
            up again.
        ResourceUnavailable, LookupFailed
            The resource is away, or the query fails.
        """
        keyed = [parsed for parsed in parsed_requests if isinstance(parsed, KeyedRequest)]
        waiting = [parsed for parsed in keyed if parsed.content is None and parsed.error is None]
        if waiting:
            self._complete(waiting)
        for parsed in keyed:
            if parsed.error is not None:
                raise parsed.error
        return super().batch(parsed_requests)

    def check(self) -> None:
        """Run each query with a key that no row has.

        Raises
        ------
        ResourceUnavailable, LookupFailed
            As ``batch``.
        """
        for lookup in self.lookups:
            lookup.check()

    def _slow_path(self, instances: list[Any]) -> ParsedRequest:
        if not instances:
            return super()._slow_path(instances)
        try:
            rows = self._partial.validated(instances)
            self._require_keys(rows)
        except InvalidInstances as invalid:
            invalid.inputs = instances
            raise
        if any(needs(lookup, row) for lookup in self.lookups for row in rows):
            return KeyedRequest(rows)
        return super()._slow_path([self._without_keys(row) for row in rows])

    def _require_keys(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Raise InvalidInstances for rows that have neither a feature nor its key, and for keys of no database."""
        errors = []
        for number, row in enumerate(rows):
            for lookup in self.lookups:
                key = row.get(lookup.key)
                if lookup.key not in row:
                    words = f"; or send its key '{lookup.key}', by which it is looked up"
                    errors += [
                        {"loc": ["instances", number, name], "msg": f"missing feature '{name}'{words}"}
                        for name in lookup.features
                        if name in self._required and name not in row
                    ]
                elif isinstance(key, str) and "\0" in key:
                    errors.append({"loc": ["instances", number, lookup.key], "msg": "must not contain a NUL character"})
        if errors:
            raise InvalidInstances(errors)

    def _without_keys(self, row: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in row.items() if name not in self.dropped}

    def _complete(self, requests: Sequence[KeyedRequest]) -> None:
        """Look the features of all requests up, and set the content or the error of each."""
        found = []
        for lookup in self.lookups:
            keys = [row[lookup.key] for one in requests for row in one.keyed if needs(lookup, row)]
            found.append(self._values(lookup, keys, alone=len(requests) == 1))
        for one in requests:
            try:
                completed = self._completed(one.keyed, found)
            except InvalidInstances as invalid:
                one.error = invalid
            else:
                one.content, one.inputs = completed.content, completed.inputs

    def _values(self, lookup: ReleaseLookup, keys: Sequence[Any], *, alone: bool) -> dict[Any, Features]:
        if not keys:
            return {}
        try:
            return lookup.values(keys)
        except LookupFailed as failed:
            if not alone or not refuses_data(failed):
                raise
            # Such as a text where the database has numbers; the others of a call are repeated without this request.
            return {}

    def _completed(self, rows: Sequence[Any], found: Sequence[Mapping[Any, Features]]) -> ParsedRequest:
        errors: list[dict[str, Any]] = []
        complete = []
        for number, row in enumerate(rows):
            features: Features = {}
            for lookup, values in zip(self.lookups, found, strict=True):
                if not needs(lookup, row):
                    continue
                known = values.get(row[lookup.key])
                if known is None:
                    words = f"there are no features of {named_key(lookup.key, row[lookup.key])}"
                    errors.append({"loc": ["instances", number, lookup.key], "msg": words})
                else:
                    features |= known
            complete.append(features | self._without_keys(row))
        if errors:
            raise InvalidInstances(errors)
        try:
            return super()._slow_path(complete)
        except InvalidInstances as invalid:
            raise self._explained(invalid, rows) from invalid

    def _explained(self, invalid: InvalidInstances, rows: Sequence[Any]) -> InvalidInstances:
        """Return the errors of values with the key by which they were looked up."""
        errors = []
        for error in invalid.errors:
            _, *place = error["loc"]
            words = error["msg"]
            if len(place) > 1 and place[1] not in rows[place[0]]:
                row = rows[place[0]]
                keys = [one.key for one in self.lookups if place[1] in one.features and one.key in row]
                words += looked_up(keys[0], row[keys[0]]) if keys else ""
            errors.append({"loc": error["loc"], "msg": words})
        return InvalidInstances(errors)


def named_key(key: str, value: Any) -> str:
    """Return a key with its value, shortened."""
    return f"{key} {value[:80]!r}" if isinstance(value, str) else f"{key} {value}"


def looked_up(key: str, value: Any) -> str:
    """Return the words that follow the error of a looked-up value."""
    return f" (looked up by {named_key(key, value)})"


def needs(lookup: ReleaseLookup, names: Container[str]) -> bool:
    """Return whether a row, or a table, with these names has a lookup's key and lacks one of its features."""
    return lookup.key in names and not all(name in names for name in lookup.features)


def refuses_data(failed: LookupFailed) -> bool:
    """Whether the driver refused a key, by DB-API's class of errors for values."""
    cause = failed.__cause__
    return any(kind.__name__ == "DataError" for kind in type(cause).__mro__) or isinstance(cause, OverflowError)
