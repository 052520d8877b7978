"""What an example says about requests: JSON Schema, prototype, and the answers' type."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from jupyter_deploy.domain.signature import Container, Schema, infer_schema
from jupyter_deploy.serving import codec


def instance_schema(
    native: Any, container: Container, instances: list[Any], call: Callable[..., Any], parameters: tuple[str, ...]
) -> Schema:
    if container == "frame":
        properties = {str(name): _column_schema(native[name]) for name in native.columns}
        return {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }
    if container in ("array", "tensor"):
        schema = infer_schema(instances, fixed_lengths=True)
        return _with_bounds(schema, str(native.dtype).removeprefix("torch."))
    if container == "list":
        return infer_schema(instances, fixed_lengths=True)
    schema = infer_schema(instances)
    taken = inspect.signature(call).parameters
    if len(parameters) == 1:
        return _widened(schema, taken[parameters[0]].annotation)
    properties = {name: _widened(part, taken[name].annotation) for name, part in schema["properties"].items()}
    required = [name for name in properties if taken[name].default is inspect.Parameter.empty]
    return schema | {"properties": properties, "required": required}


def _widened(schema: Schema, annotation: Any) -> Schema:
    """A parameter annotated as float takes numbers, although the example's happens to be whole."""
    if annotation in (float, "float") and schema.get("type") == "integer":
        return schema | {"type": "number"}
    return schema


def _column_schema(column: Any) -> Schema:
    """JSON Schema of a data frame's column: by its dtype, and for ``object`` by its values."""
    dtype = column.dtype
    nullable = bool(column.isna().any())
    name = str(dtype).lower()
    if name == "category":
        categories = [codec.to_json(value) for value in dtype.categories]
        schema = infer_schema(categories) | {"enum": categories}
    elif dtype.kind == "M":
        schema = {"type": "string", "format": "date-time"}
    elif dtype.kind == "b":
        schema = {"type": "boolean"}
    elif dtype.kind in "iu":
        schema = _with_bounds({"type": "integer"}, name)
    elif dtype.kind == "f":
        schema = {"type": "number"}
    else:
        schema = infer_schema(codec.to_json(value) for value in column[~column.isna()]) or {"type": "string"}
    if nullable:
        declared = schema["type"]
        schema["type"] = [*([declared] if isinstance(declared, str) else declared), "null"]
        if "enum" in schema:
            schema["enum"] = [*schema["enum"], None]
    return schema


def _with_bounds(schema: Schema, dtype: str) -> Schema:
    """Integers must fit the array's type, or NumPy would wrap them (what does not fit 64 bits is refused anyway)."""
    if schema.get("type") == "array":
        return schema | {"items": _with_bounds(schema.get("items", {}), dtype)}
    if dtype.startswith(("float", "bfloat")) and schema.get("type") == "integer":
        return schema | {"type": "number"}
    if schema.get("type") == "integer" and dtype.startswith(("int", "uint")) and dtype != "int64":
        bits, unsigned = int(dtype.removeprefix("u").removeprefix("int")), dtype.startswith("u")
        low, high = (0, 2**bits - 1) if unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        return schema | {"minimum": low, "maximum": high}
    return schema


def prototype_of(native: Any, container: Container) -> Any:
    if container == "frame":
        return native.iloc[:0]
    if container in ("array", "tensor"):
        return _without_rows(native)
    if container == "list":
        return None
    arrays = {name: value for name, value in native[0].items() if hasattr(value, "dtype")}
    return {
        name: _without_rows(value) if value.ndim else value for name, value in arrays.items() if hasattr(value, "ndim")
    }


def _without_rows(array: Any) -> Any:
    """A tensor of no rows still holds the numbers of those that it was cut from: its copy does not."""
    return array[:0].clone() if hasattr(array, "clone") else array[:0]


def dtype_of(answer: Any, predictions: list[Any]) -> str:
    """NumPy's name of the answers' type; for Python values the name of theirs."""
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
