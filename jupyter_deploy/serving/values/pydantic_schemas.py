"""Compilation of JSON Schema, as examples, annotations and pydantic models use it, to pydantic's validator."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from functools import reduce
from typing import Any, cast
from uuid import UUID

from pydantic_core import CoreSchema, SchemaValidator
from pydantic_core import core_schema as cs

WORDS = {
    "null": "null",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "string": "a string",
    "array": "a list",
    "object": "an object",
}

FORMATS = {
    "date-time": 'a date and time such as "2026-11-25T12:00:00"',
    "date": 'a date such as "2026-11-25"',
    "time": 'a time such as "12:30:00"',
    "duration": 'a duration such as "PT90S"',
    "uuid": "a UUID",
}

# Bounds of ten or more digits are replaced by the name of the type.
MACHINE_INTEGERS = {
    (low, high): name
    for bits in (32, 64)
    for low, high, name in (
        (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1, f"int{bits}"),
        (0, 2**bits - 1, f"uint{bits}"),
    )
}

# Keywords that cannot be checked; the signature would promise more than it keeps.
_UNKNOWN = (
    *("not", "if", "contains", "patternProperties", "dependentRequired", "dependentSchemas", "$dynamicRef"),
    *("unevaluatedProperties", "unevaluatedItems"),
)

_REF = "#/$defs/"


def compiled(schema: Mapping[str, Any]) -> CoreSchema:
    """Return a validator of lists whose items satisfy ``schema``; ``$ref`` refers to its ``$defs``.

    Raises
    ------
    ValueError
        The schema has an unsupported keyword; the message names it.
    """
    items = cs.list_schema(_compile(schema), strict=True)
    known = [cast("CoreSchema", {**_compile(inner), "ref": name}) for name, inner in schema.get("$defs", {}).items()]
    return cs.definitions_schema(items, known) if known else items


def _compile(schema: Mapping[str, Any]) -> CoreSchema:
    for word in _UNKNOWN:
        if word in schema:
            raise ValueError(f"the signature uses {word!r}, which is not supported; remove it")
    if "$ref" in schema:
        return cs.definition_reference_schema(_ref_name(schema["$ref"]))
    if "allOf" in schema:
        outer = {key: value for key, value in schema.items() if key != "allOf"}
        return cs.chain_schema([_compile(part) for part in (outer, *schema["allOf"])])
    if branches := schema.get("anyOf", schema.get("oneOf")):
        return _any_of(branches, schema)
    declared = schema.get("type")
    if declared is None:
        return _untyped(schema)
    types = [declared] if isinstance(declared, str) else list(declared)
    kinds = [_of_type(name, schema) for name in types if name != "null"]
    # Lists and objects report their inner errors; a choice of types reports only the choice.
    one = kinds[0] if len(kinds) == 1 else named(cs.union_schema(list(kinds)) if kinds else cs.none_schema(), schema)
    return cs.nullable_schema(one) if "null" in types and kinds else one


def _untyped(schema: Mapping[str, Any]) -> CoreSchema:
    allowed = allowed_values(schema)
    if not allowed:
        return cs.any_schema()
    kind = named(cs.literal_schema(allowed), schema)
    return cs.nullable_schema(kind) if None in schema.get("enum", ()) else kind


def _any_of(branches: list[Mapping[str, Any]], schema: Mapping[str, Any]) -> CoreSchema:
    some = [branch for branch in branches if branch.get("type") != "null"]
    kinds = [_compile(branch) for branch in some]
    if not kinds:
        return named(cs.none_schema(), {"type": "null"})
    one = kinds[0] if len(kinds) == 1 else named(cs.union_schema(list(kinds), mode="left_to_right"), schema)
    return cs.nullable_schema(one) if len(some) < len(branches) else one


def _ref_name(reference: str) -> str:
    if not reference.startswith(_REF):
        raise ValueError(f"the signature refers to {reference!r}, which it does not contain")
    return reference.removeprefix(_REF)


def _of_type(name: str, schema: Mapping[str, Any]) -> CoreSchema:
    match name:
        case "array":
            return _array(schema)
        case "object":
            return _object(schema)
        case _:
            return named(_among(_scalar(name, schema), schema), {**schema, "type": name})


def _array(schema: Mapping[str, Any]) -> CoreSchema:
    first = schema.get("prefixItems")
    whole = cs.list_schema(
        None if first else _compile(schema.get("items") or {}),
        min_length=schema.get("minItems"),
        max_length=schema.get("maxItems"),
        strict=True,
    )
    if not first:
        return whole
    rest = schema.get("items", {})
    places = [_compile(place) for place in first]
    places += [_compile(rest)] if isinstance(rest, Mapping) else []
    variadic = len(first) if isinstance(rest, Mapping) else None
    return cs.chain_schema(
        [whole, cs.no_info_after_validator_function(list, cs.tuple_schema(places, variadic_item_index=variadic))]
    )


def _object(schema: Mapping[str, Any]) -> CoreSchema:
    required = set(schema.get("required", ()))
    extra = schema.get("additionalProperties", True)
    properties = schema.get("properties", {})
    extras = _compile(extra) if isinstance(extra, Mapping) else None
    if not properties and not required and extra is not False:
        return cs.dict_schema(
            _compile(schema["propertyNames"]) if "propertyNames" in schema else None,
            extras,
            min_length=schema.get("minProperties"),
            max_length=schema.get("maxProperties"),
            strict=True,
        )
    names = dict.fromkeys((*properties, *schema.get("required", ())))
    fields = {key: cs.typed_dict_field(_compile(properties.get(key, {})), required=key in required) for key in names}
    return cs.typed_dict_schema(
        fields, extras_schema=extras, extra_behavior="forbid" if extra is False else "allow", strict=True
    )


def _scalar(name: str, schema: Mapping[str, Any]) -> CoreSchema:
    bounds = {
        ours: schema[theirs]
        for ours, theirs in (
            *(("ge", "minimum"), ("le", "maximum"), ("gt", "exclusiveMinimum"), ("lt", "exclusiveMaximum")),
            ("multiple_of", "multipleOf"),
        )
        if theirs in schema
    }
    match name:
        case "integer":
            whole = cs.int_schema(**bounds)
            written_as_float = cs.chain_schema([cs.float_schema(strict=True, allow_inf_nan=False), whole])
            return cs.union_schema([cs.int_schema(strict=True, **bounds), written_as_float], mode="left_to_right")
        case "number":
            number = cs.float_schema(strict=True, allow_inf_nan=False, **bounds)
            if not schema.get("x-whole"):
                return number
            return cs.union_schema([cs.int_schema(strict=True, **bounds), number], mode="left_to_right")
        case "boolean":
            return cs.bool_schema(strict=True)
        case "string":
            text = cs.str_schema(
                strict=True,
                min_length=schema.get("minLength"),
                max_length=schema.get("maxLength"),
                pattern=schema.get("pattern"),
                regex_engine="python-re",
            )
            check = FORMAT_READERS.get(schema.get("format", ""))
            return cs.no_info_after_validator_function(_checking(check), text) if check else text
        case _:
            raise ValueError(f"the signature has the type {name!r}, which JSON Schema lacks")


_DURATION = SchemaValidator(cs.timedelta_schema())

# Their ValueError becomes a validation error.
FORMAT_READERS: dict[str, Callable[[str], Any]] = {
    "date-time": datetime.fromisoformat,
    "date": date.fromisoformat,
    "time": time.fromisoformat,
    "duration": _DURATION.validate_python,
    "uuid": UUID,
}


def _checking(read: Callable[[str], Any]) -> Callable[[str], str]:
    def checked(text: str) -> str:
        read(text)
        return text

    return checked


def _among(kind: CoreSchema, schema: Mapping[str, Any]) -> CoreSchema:
    allowed = allowed_values(schema)
    return cs.chain_schema([kind, cs.literal_schema(allowed)]) if allowed else kind


def allowed_values(schema: Mapping[str, Any]) -> list[Any]:
    """Return the values of ``enum`` or ``const`` without null; empty: any value."""
    listed = [schema["const"]] if "const" in schema else schema.get("enum", ())
    return [value for value in listed if value is not None]


def named(kind: CoreSchema, schema: Mapping[str, Any]) -> CoreSchema:
    """Return ``kind`` with one message in words, in place of one message for each alternative."""
    # pydantic would treat braces as placeholders.
    message = f"must be {in_words(schema)}".replace("{", "(").replace("}", ")")
    return cs.custom_error_schema(kind, "not_as_described", custom_error_message=message)


def in_words(schema: Mapping[str, Any]) -> str:
    """Describe the values that satisfy ``schema``: ``a whole number from 0 to 120``."""
    if allowed := allowed_values(schema):
        shown = ", ".join(json.dumps(value, ensure_ascii=False) for value in allowed[:10])
        return f"one of {shown}" + (f" (and {len(allowed) - 10} more)" if len(allowed) > 10 else "")
    if "$ref" in schema:
        return f"an object ({_ref_name(schema['$ref'])})"
    if branches := schema.get("anyOf", schema.get("oneOf")):
        return " or ".join(dict.fromkeys(in_words(branch) for branch in branches))
    types = schema.get("type", ())
    words = " or ".join(WORDS[name] for name in ([types] if isinstance(types, str) else types)) or "anything"
    words = FORMATS.get(schema.get("format", ""), words)
    if schema.get("contentEncoding") == "base64":
        words = "an image in base64" if "contentMediaType" in schema else "base64"
    return reduce(lambda text, more: more(text, schema), (_length, _bounds, _rest), words)


def _length(words: str, schema: Mapping[str, Any]) -> str:
    low, high = schema.get("minLength"), schema.get("maxLength")
    return (
        words if low is None and high is None else f"{words} of {_range(low, high, 'at least', 'at most')} characters"
    )


def _bounds(words: str, schema: Mapping[str, Any]) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if (low, high) in MACHINE_INTEGERS:
        return f"{words} ({MACHINE_INTEGERS[low, high]})"
    if low is not None and high is not None:
        return f"{words} from {low} to {high}"
    if low is not None or high is not None:
        words = f"{words} of {_range(low, high, 'at least', 'at most')}"
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if above is not None or below is not None:
        joined = " and ".join(
            f"{word} {bound}" for word, bound in (("above", above), ("below", below)) if bound is not None
        )
        words = f"{words} {joined}"
    return words


def _rest(words: str, schema: Mapping[str, Any]) -> str:
    if "multipleOf" in schema:
        words = f"{words} that is a multiple of {schema['multipleOf']}"
    return f"{words} that matches {schema['pattern']}" if "pattern" in schema else words


def _range(low: Any, high: Any, least: str, most: str) -> str:
    if low is not None and high is not None:
        return f"{low} to {high}" if low != high else f"{low}"
    return f"{least} {low}" if high is None else f"{most} {high}"
