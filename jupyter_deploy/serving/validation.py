"""Is this what the model takes? A JSON Schema compiled once into a strict validator that speaks plain words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic_core import CoreSchema, ErrorDetails, SchemaValidator, ValidationError
from pydantic_core import core_schema as cs

Location = list[str | int]

MOST_ERRORS = 20

WORDS = {
    "null": "null",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "string": "a string",
    "array": "a list",
    "object": "an object",
}

# Bounds of ten digits and more explain nothing.
MACHINE_INTEGERS = {
    (low, high): name
    for bits in (32, 64)
    for low, high, name in (
        (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1, f"int{bits}"),
        (0, 2**bits - 1, f"uint{bits}"),
    )
}


class InvalidInstances(ValueError):
    """The instances do not fit the model's signature.

    Parameters
    ----------
    errors
        What is wrong and where: ``{"loc": ["instances", 3, "mean radius"], "msg": "must be a number, not 'x'"}``.
    more
        How many errors were found besides; the last of ``errors`` then says so.
    """

    def __init__(self, errors: Sequence[Mapping[str, Any]], more: int = 0) -> None:
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
        self._validator = SchemaValidator(cs.list_schema(_compile(schema), strict=True))

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
            message += " (a missing value is taken only where the deployed example had one)"
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


def _compile(schema: Mapping[str, Any]) -> CoreSchema:
    declared = schema.get("type")
    if declared is None:
        return cs.any_schema()
    types = [declared] if isinstance(declared, str) else list(declared)
    kinds = [_of_type(name, schema) for name in types if name != "null"]
    if not kinds:
        return _named(cs.none_schema(), schema)
    # Lists and objects name their own inner errors; in a choice of types only the choice can be named.
    one = kinds[0] if len(kinds) == 1 else _named(cs.union_schema(list(kinds)), schema)
    return cs.nullable_schema(one) if "null" in types else one


def _of_type(name: str, schema: Mapping[str, Any]) -> CoreSchema:
    match name:
        case "array":
            return cs.list_schema(
                _compile(schema.get("items", {})),
                min_length=schema.get("minItems"),
                max_length=schema.get("maxItems"),
                strict=True,
            )
        case "object":
            required = set(schema.get("required", ()))
            fields = {
                key: cs.typed_dict_field(_compile(inner), required=key in required)
                for key, inner in schema.get("properties", {}).items()
            }
            closed = schema.get("additionalProperties", True) is False
            return cs.typed_dict_schema(fields, extra_behavior="forbid" if closed else "allow", strict=True)
        case _:
            return _named(_among(_scalar(name, schema), schema), {**schema, "type": name})


def _scalar(name: str, schema: Mapping[str, Any]) -> CoreSchema:
    low, high = schema.get("minimum"), schema.get("maximum")
    match name:
        case "integer":
            whole = cs.int_schema(ge=low, le=high)
            written_as_float = cs.chain_schema([cs.float_schema(strict=True, allow_inf_nan=False), whole])
            return cs.union_schema(
                [cs.int_schema(strict=True, ge=low, le=high), written_as_float], mode="left_to_right"
            )
        case "number":
            return cs.float_schema(strict=True, allow_inf_nan=False, ge=low, le=high)
        case "boolean":
            return cs.bool_schema(strict=True)
        case "string" if schema.get("format") == "date-time":
            return cs.no_info_after_validator_function(_moment, cs.str_schema(strict=True))
        case "string":
            return cs.str_schema(strict=True)
        case _:
            raise ValueError(f"the signature has a type that JSON does not know: {name!r}")


def _among(kind: CoreSchema, schema: Mapping[str, Any]) -> CoreSchema:
    allowed = [value for value in schema.get("enum", ()) if value is not None]
    return cs.chain_schema([kind, cs.literal_schema(allowed)]) if allowed else kind


def _moment(text: str) -> str:
    datetime.fromisoformat(text)  # its ValueError becomes a validation error
    return text


def _named(kind: CoreSchema, schema: Mapping[str, Any]) -> CoreSchema:
    """``kind`` with one message in words, instead of one for each way in which it can fail."""
    return cs.custom_error_schema(kind, "not_as_described", custom_error_message=_escaped(f"must be {_words(schema)}"))


def _escaped(message: str) -> str:
    return message.replace("{", "(").replace("}", ")")  # pydantic would take braces for its own placeholders


def _words(schema: Mapping[str, Any]) -> str:
    if allowed := [value for value in schema.get("enum", ()) if value is not None]:
        shown = ", ".join(json.dumps(value, ensure_ascii=False) for value in allowed[:10])
        return f"one of {shown}" + (f" (and {len(allowed) - 10} more)" if len(allowed) > 10 else "")
    types = schema.get("type", ())
    words = " or ".join(WORDS[name] for name in ([types] if isinstance(types, str) else types))
    if schema.get("format") == "date-time":
        words = 'a date and time such as "2026-11-25T12:00:00"'
    low, high = schema.get("minimum"), schema.get("maximum")
    if (low, high) in MACHINE_INTEGERS:
        return f"{words} ({MACHINE_INTEGERS[low, high]})"
    if low is not None and high is not None:
        return f"{words} from {low} to {high}"
    if low is not None:
        return f"{words} of at least {low}"
    return f"{words} of at most {high}" if high is not None else words
