"""Schemas from an example: JSON Schema of instances, prototype, and the answers' type."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jupyter_deploy.domain.capture.schema import closed, nullable
from jupyter_deploy.domain.capture.signature import Container, Schema, infer_schema, with_seen
from jupyter_deploy.domain.errors import InvalidExample
from jupyter_deploy.serving.values import codec
from jupyter_deploy.serving.values.validation import InvalidInstances, Validator
from jupyter_deploy.serving.values.value_types import ValueType, is_value_type, writer

from .annotations import annotations_of, json_schema, only_json, schema_of
from .forms import common_form, form_of, frame_form

_BASE64: Schema = {"type": "string", "contentEncoding": "base64"}


def prototype_of(native: Any, container: Container, call: Callable[..., Any]) -> Any:
    """Return the prototype of requests: the example without its rows, or the forms of values outside tables and arrays.

    Raises
    ------
    UnsupportedValue
        No request could restore a value.
    """
    match container:
        case "frame" if hasattr(native, "iloc"):
            return frame_form(native)
        case "frame":
            return native.clear()
        case "array" | "tensor":
            return form_of(native)
        case "list":
            return common_form(native)
    (arguments,) = native
    forms = {name: _argument_form(name, value) for name, value in arguments.items()}
    for name, annotation in annotations_of(call).items():
        if schema_of(annotation) is not None and not only_json(annotation):
            forms[name] = ("type", annotation)
    return {name: form for name, form in forms.items() if form is not None}


def _argument_form(name: str, value: Any) -> ValueType:
    try:
        return form_of(value)
    except TypeError as error:
        raise type(error)(f"the argument '{name}' holds {error}") from error


@dataclasses.dataclass(frozen=True)
class ExampleForms:
    """An example in all its forms: the model's input, its JSON, its prototype, and the called function."""

    native: Any
    container: Container
    instances: list[Any]
    prototype: Any
    call: Callable[..., Any]
    parameters: tuple[str, ...]


def instance_schema(forms: ExampleForms) -> Schema:
    """Return the JSON Schema of one instance, with statistics of the example's instances.

    Raises
    ------
    InvalidExample
        The example does not match an annotation.
    """
    return with_seen(_schema(forms), forms.instances)


def _schema(forms: ExampleForms) -> Schema:
    if forms.container == "frame":
        return _frame_schema(forms.native, forms.prototype)
    if forms.container == "call":
        return _call_schema(forms)
    if forms.container == "list" and forms.prototype is not None:
        return _of_form(forms.prototype, forms.native)
    schema = infer_schema(forms.instances, fixed_lengths=True)
    return schema if forms.container == "list" else _with_bounds(schema, str(forms.native.dtype).removeprefix("torch."))


def _call_schema(forms: ExampleForms) -> Schema:
    (arguments,) = forms.native
    annotations = annotations_of(forms.call)
    properties: dict[str, Schema] = {}
    named: Schema = {}
    for name in forms.parameters:
        if name in arguments:
            schema = _argument_schema(name, arguments[name], annotations.get(name), forms.prototype.get(name))
        elif name in annotations and (annotated := schema_of(annotations[name])) is not None:
            schema = annotated  # it has a default
        else:
            continue
        named |= schema.pop("$defs", {})
        properties[name] = schema
    refs = {"$defs": named} if named else {}
    if len(forms.parameters) == 1:
        return {**properties[forms.parameters[0]], **refs}
    signature = inspect.signature(forms.call).parameters
    required = [name for name in properties if signature[name].default is inspect.Parameter.empty]
    return {**closed(properties, required), **refs}


def _argument_schema(name: str, value: Any, annotation: Any, form: ValueType) -> Schema:
    annotated = None if annotation is None else schema_of(annotation)
    if annotated is None:
        return _of_form(form, [value])
    instance = writer(form)(value)
    try:
        Validator(annotated).validated([instance])
    except InvalidInstances as error:
        wrong = error.errors[0]
        within = ".".join(map(str, wrong["loc"][2:]))
        raise InvalidExample(
            f"the argument '{name}' is annotated as {_annotation_in_words(annotation)}, but the example's "
            f"{f'{within} ' if within else ''}{wrong['msg']}",
            "pass an example that matches the annotation, or correct the annotation",
        ) from error
    return annotated


def _annotation_in_words(annotation: Any) -> str:
    return annotation.__name__ if isinstance(annotation, type) else str(annotation).replace("typing.", "")


def _of_form(form: ValueType, values: Sequence[Any]) -> Schema:
    """Return the schema of values of one form."""
    some = [value for value in values if value is not None]
    if is_value_type(form, "optional"):
        schema = _of_form(form[1], some)
        return nullable(schema) if len(some) < len(values) else schema
    if not isinstance(form, tuple):
        return _of_rows(form, values)
    kind, *parts = form
    return _OF_FORM[kind](*parts, some)


def _of_rows(form: Any, values: Sequence[Any]) -> Schema:
    if hasattr(form, "columns") or hasattr(form, "collect_schema"):
        rows = [_frame_schema(value, form) for value in values]
        return {"type": "array", "items": rows[0] if rows else {}}
    schema = infer_schema(codec.to_json(value) for value in values)
    if hasattr(form, "iloc") and values:
        return {"type": "array", "items": _column_schema(values[0], None)}
    return _with_bounds(schema, str(form.dtype).removeprefix("torch.")) if hasattr(form, "dtype") else schema


def _typed(kind: Any, _: Sequence[Any]) -> Schema:
    return json_schema(kind)


def _bytes(_: type, __: Sequence[Any]) -> Schema:
    return dict(_BASE64)


def _moment(_: Any, __: Sequence[Any]) -> Schema:
    return {"type": "string", "format": "date-time"}


def _image(mode: str, _: Sequence[Any]) -> Schema:
    return {**_BASE64, "contentMediaType": "image/*", "description": f"An image, passed to the model in mode {mode}."}


def _list(_: type, item: ValueType, values: Sequence[Any]) -> Schema:
    return {"type": "array", "items": _of_form(item, [element for value in values for element in value])}


def _tuple(_: type, forms: tuple[ValueType, ...], values: Sequence[Any]) -> Schema:
    items = [_of_form(form, [value[at] for value in values]) for at, form in enumerate(forms)]
    return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}


def _dict(names: Mapping[str, tuple[Any, ValueType]], values: Sequence[Any]) -> Schema:
    inner = {name: _of_form(form, [v[key] for v in values if key in v]) for name, (key, form) in names.items()}
    always = [name for name, (key, _) in names.items() if all(key in value for value in values)]
    return closed(inner, always)


def _object(kind: Any, fields: Mapping[str, ValueType], values: Sequence[Any]) -> Schema:
    inner = {name: _of_form(form, [getattr(v, name) for v in values]) for name, form in fields.items()}
    needed = [
        field.name
        for field in dataclasses.fields(kind)
        if field.name in fields
        and field.default is dataclasses.MISSING
        and field.default_factory is dataclasses.MISSING
    ]
    return closed(inner, needed)


def _element(prototype: Any, values: Sequence[Any]) -> Schema:
    del prototype
    return _column_schema(type_of_series()(list(values)), None)


def type_of_series() -> Any:
    """Return pandas' Series; a pandas value exists, so pandas is imported."""
    import pandas as pd

    return pd.Series


def _frame(prototype: Any, forms: Mapping[str, ValueType], values: Sequence[Any]) -> Schema:
    return {"type": "array", "items": _frame_schema(values[0], ("frame", prototype, forms))}


_OF_FORM: dict[str, Callable[..., Schema]] = {
    "type": _typed,
    "bytes": _bytes,
    "moment": _moment,
    "image": _image,
    "list": _list,
    "tuple": _tuple,
    "dict": _dict,
    "object": _object,
    "element": _element,
    "frame": _frame,
}


def _frame_schema(frame: Any, prototype: Any) -> Schema:
    """Return the JSON Schema of a row."""
    if not hasattr(frame, "iloc"):
        from .polars_schemas import columns_of

        properties = columns_of(frame)
    else:
        forms: Mapping[str, ValueType] = prototype[2] if is_value_type(prototype, "frame") else {}
        properties = {str(name): _column_schema(frame[name], forms.get(str(name))) for name in frame.columns}
    return closed(properties)


def _column_schema(column: Any, form: ValueType) -> Schema:
    """Return the JSON Schema of a pandas column: by its dtype, and for ``object`` by its values."""
    dtype = column.dtype
    missing = column.isna()
    name = str(dtype).lower()
    if name == "category":
        categories = [codec.to_json(value) for value in dtype.categories]
        schema = infer_schema(categories) | {"enum": categories}
    elif name.startswith(("date32", "date64")):
        schema = {"type": "string", "format": "date"}
    elif dtype.kind == "M":
        schema = {"type": "string", "format": "date-time"}
    elif dtype.kind == "b":
        schema = {"type": "boolean"}
    elif dtype.kind in "iu":
        schema = _with_bounds({"type": "integer"}, name.removesuffix("[pyarrow]"))
    elif dtype.kind in "fm":
        schema = {"type": "number"}
    elif form is not None:
        schema = _of_form(form, list(column[~missing]))
    else:
        schema = infer_schema(codec.to_json(value) for value in column[~missing]) or {"type": "string"}
    return nullable(schema) if missing.any() else schema


def _with_bounds(schema: Schema, dtype: str) -> Schema:
    """Limit integers to the array's type, or NumPy would wrap them (beyond 64 bits they are refused anyway)."""
    if schema.get("type") == "array":
        return schema | {"items": _with_bounds(schema.get("items", {}), dtype)}
    if dtype.startswith(("float", "bfloat")) and schema.get("type") == "integer":
        return schema | {"type": "number"}
    if schema.get("type") == "integer" and dtype.startswith(("int", "uint")) and dtype != "int64":
        bits, unsigned = int(dtype.removeprefix("u").removeprefix("int")), dtype.startswith("u")
        low, high = (0, 2**bits - 1) if unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        return schema | {"minimum": low, "maximum": high}
    return schema


def dtype_of(answer: Any, predictions: list[Any]) -> str:
    """Return NumPy's name of the answers' type; for Python values the name of their type."""
    name = str(getattr(answer, "dtype", "object")).removeprefix("torch.")
    if name.startswith(("<U", ">U", "str")):
        return "str"
    if name not in ("object", "category"):
        return name
    dtypes = {str(d) for d in getattr(answer, "dtypes", ())} if hasattr(answer, "columns") else set()
    if dtypes and dtypes <= {"float32", "float16"}:
        return "float32"
    kinds = {type(value).__name__ for value in predictions}
    return {"int": "int64", "float": "float64", "str": "str", "bool": "bool"}.get(
        kinds.pop() if len(kinds) == 1 else "", "float64"
    )
