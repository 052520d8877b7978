"""Validation of instances: a JSON Schema compiled once into a strict validator with messages in plain words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from pydantic_core import ErrorDetails, SchemaValidator, ValidationError

from .pydantic_schemas import compiled

Location = list[str | int]

MAX_ERRORS = 20

# Long requests are validated in parts, and errors are counted up to a limit: each error of a part takes some hundred
# bytes, and a body may have millions.
_ROWS = 1000
_MAX_COUNTED = 10_000


class InvalidInstances(ValueError):
    """The instances do not fit the model's signature.

    Parameters
    ----------
    errors
        Message and location of each error: ``{"loc": ["instances", 3, "mean radius"], "msg": "must be a number, not
        'x'"}``.
    more
        The number of further errors, which the last item of ``errors`` then states.
    counted
        False: there may be even more errors.

    Attributes
    ----------
    inputs
        The request's instances for its record; None if they are unknown.
    """

    def __init__(self, errors: Sequence[Mapping[str, Any]], more: int = 0, *, counted: bool = True) -> None:
        self.inputs: Any = None
        more += max(0, len(errors) - MAX_ERRORS)
        self.errors: list[dict[str, Any]] = [dict(error) for error in errors[:MAX_ERRORS]]
        if more:
            self.errors.append({"loc": ["instances"], "msg": f"… and {'' if counted else 'at least '}{more} more"})
        first = self.errors[0]
        super().__init__(f"{'.'.join(map(str, first['loc']))}: {first['msg']}")


class Validator:
    """Validates lists of instances against the JSON Schema of one instance.

    Strings and booleans are not numbers, infinities are refused, and ``null`` is accepted only if the schema has it. A
    whole number may be written ``3.0``, as rows of a mixed data frame are.
    """

    def __init__(self, schema: Mapping[str, Any], *, noun: str = "feature") -> None:
        self._noun = noun
        self._validator = SchemaValidator(compiled(schema))
        self._known = frozenset(schema.get("properties", ()))
        closed = schema.get("additionalProperties") is False
        self._most_keys = len(self._known) + MAX_ERRORS if closed else None

    def validated(self, instances: Sequence[Any]) -> list[Any]:
        """Return a copy of ``instances`` with numbers of the schema's types.

        Raises
        ------
        InvalidInstances
            With the first errors in the order of the rows.
        """
        result: list[Any] = []
        for begin in range(0, len(instances), _ROWS):
            part = self._truncated(instances[begin : begin + _ROWS])
            try:
                result += self._validator.validate_python(part)
            except ValidationError:
                raise self._refusal(instances, begin) from None
        return result

    def _refusal(self, instances: Sequence[Any], begin: int) -> InvalidInstances:
        """Collect the errors from a row on."""
        errors: list[dict[str, Any]] = []
        total, counted = 0, True
        for first in range(begin, len(instances), _ROWS):
            rejected = instances[first : first + _ROWS]
            part = self._truncated(rejected)
            counted = counted and part is rejected
            try:
                self._validator.validate_python(part)
            except ValidationError as invalid:
                total += invalid.error_count()
            else:
                continue
            for row, instance in enumerate(part, first):
                if len(errors) >= MAX_ERRORS:
                    break
                errors += self._of_row(row, instance)
            if total > _MAX_COUNTED:
                counted = counted and first + _ROWS >= len(instances)
                break
        shown = errors[:MAX_ERRORS]
        return InvalidInstances(shown, total - len(shown), counted=counted)

    def _of_row(self, row: int, instance: Any) -> list[dict[str, Any]]:
        try:
            self._validator.validate_python([instance])
        except ValidationError as invalid:
            result = invalid.errors(include_url=False, include_context=False)
            return [self._in_words(error, row) for error in result[:MAX_ERRORS]]
        return []

    def _truncated(self, instances: Sequence[Any]) -> Sequence[Any]:
        """Return the instances; rows with far too many keys are truncated copies, which are refused as well."""
        most = self._most_keys
        if most is None or not any(isinstance(one, dict) and len(one) > most for one in instances):
            return instances
        return [self._truncated_row(one) if isinstance(one, dict) and len(one) > most else one for one in instances]

    def _truncated_row(self, instance: dict[str, Any]) -> dict[str, Any]:
        known = {name: instance[name] for name in self._known if name in instance}
        return known | dict(islice(((k, v) for k, v in instance.items() if k not in self._known), MAX_ERRORS + 1))

    def _in_words(self, error: ErrorDetails, row: int) -> dict[str, Any]:
        loc: Location = ["instances", row, *error["loc"][1:]]
        # Below the instance's own keys the noun is "key".
        noun = self._noun if len(loc) == 3 else "key"
        match error["type"]:
            case "missing":
                message = f"missing {noun} '{loc[-1]}'"
            case "extra_forbidden":
                message = f"unknown {noun} '{loc[-1]}'"
            case "too_short" | "too_long":
                message = f"{error['msg'].removeprefix('List ').replace(' after validation', '')}"
            case "list_type" | "dict_type":
                message = (
                    f"must be {'a list' if error['type'] == 'list_type' else 'an object'}{_instead(error['input'])}"
                )
            case _:
                message = f"{error['msg']}{_instead(error['input'])}"
        if error["input"] is None:
            message += " (a missing value is accepted only if the deployed example or its signature has one)"
        return {"loc": loc, "msg": message}


def _instead(rejected: Any) -> str:
    """Name the given value, shortened, without the caller's whole row."""
    if isinstance(rejected, (list, dict)):
        return f", not {'a list' if isinstance(rejected, list) else 'an object'}"
    if isinstance(rejected, str):
        return f", not the string {json.dumps(rejected[:40], ensure_ascii=False)}"
    try:
        return f", not {json.dumps(rejected)[:40]}"
    except (TypeError, ValueError):
        return f", not a {type(rejected).__name__}"
