"""Is this what the model takes? A JSON Schema compiled once into a strict validator that speaks plain words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import ErrorDetails, SchemaValidator, ValidationError

from .compiling import compiled

Location = list[str | int]

MOST_ERRORS = 20


class InvalidInstances(ValueError):
    """The instances do not fit the model's signature.

    Parameters
    ----------
    errors
        What is wrong and where: ``{"loc": ["instances", 3, "mean radius"], "msg": "must be a number, not 'x'"}``.
    more
        How many errors were found besides; the last of ``errors`` then says so.

    Attributes
    ----------
    inputs
        What was asked, for its record; None where that is not known.
    """

    def __init__(self, errors: Sequence[Mapping[str, Any]], more: int = 0) -> None:
        self.inputs: Any = None
        more += max(0, len(errors) - MOST_ERRORS)
        self.errors: list[dict[str, Any]] = [dict(error) for error in errors[:MOST_ERRORS]]
        if more:
            self.errors.append({"loc": ["instances"], "msg": f"… and {more} more"})
        first = self.errors[0]
        super().__init__(f"{'.'.join(map(str, first['loc']))}: {first['msg']}")


class Validator:
    """Checks lists of instances against the JSON Schema of one instance.

    Strings are no numbers, booleans are no numbers, nothing is infinite, and ``null`` is accepted only where the
    schema has it. A whole number may be written ``3.0``: that is what a row of a mixed data frame gives.
    """

    def __init__(self, schema: Mapping[str, Any], *, noun: str = "feature") -> None:
        self._noun = noun
        self._validator = SchemaValidator(compiled(schema))

    def validated(self, instances: Sequence[Any]) -> list[Any]:
        """A copy of ``instances`` in which numbers have the type that the schema gives them.

        Raises
        ------
        InvalidInstances
            With the first errors in the order of the rows.
        """
        try:
            return list(self._validator.validate_python(instances))
        except ValidationError as invalid:
            total = invalid.error_count()
        # A request of a million bad values must not become a million messages: ask again, row by row.
        errors: list[dict[str, Any]] = []
        for row, instance in enumerate(instances):
            try:
                self._validator.validate_python([instance])
            except ValidationError as invalid:
                found = invalid.errors(include_url=False, include_context=False)
                errors += [self._in_words(error, row) for error in found[:MOST_ERRORS]]
                if len(errors) >= MOST_ERRORS:
                    break
        shown = errors[:MOST_ERRORS]
        raise InvalidInstances(shown, max(0, total - len(shown)))

    def _in_words(self, error: ErrorDetails, row: int) -> dict[str, Any]:
        loc: Location = ["instances", row, *error["loc"][1:]]
        # Deeper than the instance's own keys nothing is called a feature.
        noun = self._noun if len(loc) == 3 else "key"
        match error["type"]:
            case "missing":
                message = f"missing {noun} '{loc[-1]}'"
            case "extra_forbidden":
                message = f"unknown {noun} '{loc[-1]}'"
            case "too_short" | "too_long":
                message = f"{error['msg'].removeprefix('List ').replace(' after validation', '')}"
            case "list_type" | "dict_type":
                message = f"must be {'a list' if error['type'] == 'list_type' else 'an object'}{_but(error['input'])}"
            case _:
                message = f"{error['msg']}{_but(error['input'])}"
        if error["input"] is None:
            message += " (a missing value is taken only where the deployed example or its signature has one)"
        return {"loc": loc, "msg": message}


def _but(given: Any) -> str:
    """What was given instead, short enough to be read (and not the caller's whole row)."""
    if isinstance(given, (list, dict)):
        return f", not {'a list' if isinstance(given, list) else 'an object'}"
    if isinstance(given, str):
        return f", not the string {json.dumps(given[:40], ensure_ascii=False)}"
    try:
        return f", not {json.dumps(given)[:40]}"
    except (TypeError, ValueError):
        return f", not a {type(given).__name__}"
