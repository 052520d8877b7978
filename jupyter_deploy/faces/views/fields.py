"""A form's fields, from the JSON Schema of an instance and what was seen of the example. Pure."""

from __future__ import annotations

from typing import Any, Literal

from jupyter_deploy.domain.capture.schema import SEEN, Schema, branches, resolved

from .form_documents import FormField

Kind = Literal["number", "integer", "text", "boolean", "choice", "json"]

_KINDS: dict[Any, Kind] = {"number": "number", "integer": "integer", "string": "text", "boolean": "boolean"}


def fields_of(schema: Schema, instance: Any) -> tuple[FormField, ...]:
    """One field a property; none for an instance that is no object, or of which the schema does not say what it has."""
    named = schema.get("$defs", {})
    whole = resolved(schema, named)
    properties = whole.get("properties", {})
    if whole.get("type") != "object" or not isinstance(instance, dict | None) or set(instance or ()) - set(properties):
        return ()
    needed = whole.get("required", [])
    values = instance or {}
    return tuple(_field(name, said, named, name in needed, values.get(name)) for name, said in properties.items())


def _field(name: str, said: Schema, named: Schema, required: bool, value: Any) -> FormField:
    schema = {**resolved(said, named), **said}
    choices = [resolved(branch, named) for branch in branches(schema)]
    some = [choice for choice in choices if choice.get("type") != "null"]
    one = some[0] if len(some) == 1 else {}
    kind, allowed = _kind(one)
    return FormField(
        name=name,
        label=_label(name, schema),
        kind=kind,
        choices=allowed,
        required=required,
        nullable=len(some) < len(choices),
        minimum=one.get("minimum") if kind in ("number", "integer") else None,
        maximum=one.get("maximum") if kind in ("number", "integer") else None,
        help=_help(schema, one, required=required),
        value=value,
    )


def _kind(one: Schema) -> tuple[Kind, tuple[Any, ...]]:
    """The control, and what can be chosen; what is several things, or nested, is written as JSON."""
    values = [one["const"]] if "const" in one else one.get("enum", [])
    allowed = tuple(value for value in values if value is not None)
    if allowed and not any(isinstance(value, list | dict) for value in allowed):
        return "choice", allowed
    return _KINDS.get(one.get("type"), "json"), ()


def _label(name: str, schema: Schema) -> str:
    """The name, which people know from their table, unless somebody gave a title that says more."""
    title = str(schema.get("title", ""))
    return title if title and title.lower().replace(" ", "_") != name.lower() else name


def _help(schema: Schema, one: Schema, *, required: bool) -> str:
    parts = [str(schema.get("description", "")).strip().rstrip("."), *_limits(one)]
    if not required and "default" in schema:
        parts.append(f"default: {_plain(schema['default'])}")
    parts.append(_seen(schema.get(SEEN) or one.get(SEEN) or {}))
    return "; ".join(part for part in parts if part)


def _limits(one: Schema) -> list[str]:
    """What the control itself does not show."""
    words = {
        "exclusiveMinimum": "more than {}",
        "exclusiveMaximum": "less than {}",
        "multipleOf": "a multiple of {}",
        "format": "a {}",
        "contentEncoding": "in {}",
        "pattern": "matches {}",
        "minLength": "at least {} characters",
        "maxLength": "at most {} characters",
    }
    return [text.format(_plain(one[name])) for name, text in words.items() if name in one]


def _seen(seen: dict[str, Any]) -> str:
    """The example's values in words."""
    missing = f", {seen['missing']} of {seen['count']} missing" if "missing" in seen else ""
    if "minimum" in seen:
        low, high = _plain(seen["minimum"]), _plain(seen["maximum"])
        return f"the example has {low if low == high else f'{low} to {high}'}{missing}"
    if "distinct" in seen:
        low, high = seen["minLength"], seen["maxLength"]
        lengths = f"{low}" if low == high else f"{low} to {high}"
        return f"the example has {seen['distinct']} different, of {lengths} characters{missing}"
    return ""


def _plain(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else "true" if value is True else str(value)
