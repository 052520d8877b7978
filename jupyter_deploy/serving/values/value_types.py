"""Value types: descriptions of values that plain JSON cannot hold, with which a request restores the notebook's types.

A value type is plain data, since it is pickled with the example (a class would tie the snapshot to this package):

=======================================  ==============================================================
None                                     a plain JSON value
an array, tensor, Series or frame        of that class and dtype; the prototype has no rows
``TableTypes``                           a translated model's table (``plain_tables.py``)
``("type", T)``                          a class or annotation that pydantic converts
``("bytes", cls)``                       base64
``("moment", zone)``                     a datetime in that zone, or (None) without one
``("image", mode)``                      a PIL image of that mode, in base64
``("list", cls, item)``                  a list, tuple or set with items of one value type
``("tuple", cls, (type, …))``            a value type for each position; ``cls`` may be a named tuple
``("dict", {name: (key, type)})``        by the key's name in JSON
``("object", cls, {field: type})``       a dataclass
``("element", series)``                  one value of a pandas type
``("frame", frame, {name: type})``       a data frame with object columns
``("optional", type)``                   a value of that type, or None
=======================================  ==============================================================

``writer`` is the inverse of ``reader``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any

import numpy as np

from .arrays import ConversionError, decode_base64, to_array, to_tensor
from .json_values import to_json
from .plain_table_types import TableTypes

ValueType = Any
Converter = Callable[[Any], Any]


def is_value_type(value: Any, *kinds: str) -> bool:
    """Return whether ``value`` is a value type of one of these kinds."""
    return isinstance(value, tuple) and bool(value) and value[0] in kinds


def reader(value_type: ValueType) -> Converter:
    """Return the converter from a value's JSON to the value; it raises ConversionError if the JSON does not fit."""
    if value_type is None:
        return _identity
    if isinstance(value_type, TableTypes):
        from .plain_tables import table_of  # only where a model is translated

        return lambda rows: table_of(rows, value_type)
    if not isinstance(value_type, tuple):
        return _reader_of_rows(value_type)
    kind, *parts = value_type
    return _READERS[kind](*parts)


def object_readers(value_types: Mapping[str, ValueType]) -> dict[str, tuple[Converter, float | None]]:
    """Return, by column, the converter of its values and its missing value (see ``frames.ObjectReader``)."""
    return {
        name: (reader(value_type), None if is_value_type(value_type, "optional") else np.nan)
        for name, value_type in value_types.items()
    }


def writer(value_type: ValueType) -> Converter:
    """Return the converter from a value of this type to its JSON.

    It raises TypeError or ValueError for another value.
    """
    if value_type is None or not isinstance(value_type, tuple):
        return to_json
    kind, *parts = value_type
    return _WRITERS[kind](*parts) if kind in _WRITERS else to_json


def _identity(value: Any) -> Any:
    return value


def _reader_of_rows(prototype: Any) -> Converter:
    """Return the reader of arrays, tensors, Series and frames."""
    if isinstance(prototype, np.generic):
        return lambda value: to_array(value, prototype.dtype)[()]
    if isinstance(prototype, np.ndarray):
        return lambda value: to_array(value, prototype.dtype)
    if type(prototype).__module__.partition(".")[0] == "polars":
        from .polars_frames import reader_of  # polars only where a model takes it

        return reader_of(prototype)
    if hasattr(prototype, "columns"):
        return _frame(prototype, {})
    if hasattr(prototype, "iloc"):
        from .frames import to_series  # pandas only where a model takes it

        return lambda value: to_series(value, prototype)
    return lambda value: to_tensor(value, prototype)


def _pydantic(annotation: Any) -> Converter:
    from pydantic import TypeAdapter, ValidationError  # only models that take such values need it
    from pydantic_core import to_json as dumped

    adapter = TypeAdapter(annotation)

    def read(value: Any) -> Any:
        # Through JSON, in which a date may be a string even if the pydantic model is strict.
        try:
            return adapter.validate_json(dumped(value))
        except ValidationError as invalid:
            first = invalid.errors(include_url=False, include_context=False)[0]
            raise ConversionError(first["msg"][:1].lower() + first["msg"][1:], first["loc"]) from invalid

    return read


def _pydantic_json(annotation: Any) -> Converter:
    from pydantic import TypeAdapter
    from pydantic_core import PydanticSerializationError

    adapter = TypeAdapter(annotation)

    def write(value: Any) -> Any:
        try:
            return to_json(adapter.dump_python(value, mode="json", by_alias=True, warnings="error"))
        except PydanticSerializationError as error:
            raise ValueError(str(error)) from error

    return write


def _bytes(kind: type) -> Converter:
    def read(text: str) -> Any:
        return kind(decode_base64(text))

    return read


def _moment(zone: tzinfo | None) -> Converter:
    def read(text: str) -> datetime:
        moment = datetime.fromisoformat(text)
        if zone is None:  # an offset in a value without a zone: the same moment in UTC
            return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
        if moment.tzinfo is None:
            raise ConversionError('needs its offset from UTC, such as "2026-11-25T12:00:00+00:00"')
        return moment.astimezone(zone)

    return read


def _image(mode: str) -> Converter:
    from .images import read_image  # Pillow only where a model takes images

    return lambda text: read_image(decode_base64(text), mode)


def _image_json(_: str) -> Converter:
    from .images import image_json

    return image_json


def _list(kind: type, item: ValueType) -> Converter:
    read = reader(item)
    return lambda values: kind(_at(read, value, place) for place, value in enumerate(values))


def _list_json(kind: type, item: ValueType) -> Converter:
    write = writer(item)
    if kind in (set, frozenset):  # in the same order in each process
        return lambda values: sorted((write(value) for value in values), key=repr)
    return lambda values: [write(value) for value in values]


def _tuple(kind: type, places: tuple[ValueType, ...]) -> Converter:
    reads = [reader(place) for place in places]
    make = getattr(kind, "_make", kind)

    def read(values: list[Any]) -> Any:
        if len(values) != len(reads):
            raise ConversionError(f"must have {len(reads)} items, not {len(values)}")
        return make(_at(one, value, place) for place, (one, value) in enumerate(zip(reads, values, strict=True)))

    return read


def _tuple_json(_: type, places: tuple[ValueType, ...]) -> Converter:
    writes = [writer(place) for place in places]
    return lambda values: [write(value) for write, value in zip(writes, values, strict=True)]


def _dict(names: Mapping[str, tuple[Any, ValueType]]) -> Converter:
    reads = {name: (key, reader(value_type)) for name, (key, value_type) in names.items()}

    def read(document: Mapping[str, Any]) -> dict[Any, Any]:
        result = {}
        for name, value in document.items():
            key, one = reads.get(name, (name, _identity))
            result[key] = _at(one, value, name)
        return result

    return read


def _dict_json(names: Mapping[str, tuple[Any, ValueType]]) -> Converter:
    writes = {key: (name, writer(value_type)) for name, (key, value_type) in names.items()}
    return lambda value: {writes[key][0]: writes[key][1](inner) for key, inner in value.items()}


def _object(kind: type, fields: Mapping[str, ValueType]) -> Converter:
    reads = {name: reader(value_type) for name, value_type in fields.items()}

    def read(document: Mapping[str, Any]) -> Any:
        try:
            return kind(**{name: _at(reads[name], value, name) for name, value in document.items()})
        except ConversionError:
            raise
        except Exception as error:  # its __post_init__ may raise anything
            raise ConversionError(f"is not a valid {kind.__name__}: {error}") from error

    return read


def _object_json(_: type, fields: Mapping[str, ValueType]) -> Converter:
    writes = {name: writer(value_type) for name, value_type in fields.items()}
    return lambda value: {name: write(getattr(value, name)) for name, write in writes.items()}


def _element(prototype: Any) -> Converter:
    from .frames import to_series

    return lambda value: to_series([value], prototype).iloc[0]


def _frame(prototype: Any, value_types: Mapping[str, ValueType]) -> Converter:
    from .frames import FrameBuilder

    return FrameBuilder(prototype, object_readers(value_types)).frame


def _frame_json(prototype: Any, value_types: Mapping[str, ValueType]) -> Converter:
    del prototype
    from .frames import frame_json

    writers = {name: writer(value_type) for name, value_type in value_types.items()}
    return lambda frame: frame_json(frame, writers)


def _optional(value_type: ValueType) -> Converter:
    read = reader(value_type)
    return lambda value: None if value is None else read(value)


def _optional_json(value_type: ValueType) -> Converter:
    write = writer(value_type)
    return lambda value: None if value is None else write(value)


def _at(read: Converter, value: Any, place: int | str) -> Any:
    try:
        return read(value)
    except ConversionError as error:
        raise ConversionError(str(error), (place, *error.loc)) from error


_READERS: dict[str, Callable[..., Converter]] = {
    "type": _pydantic,
    "bytes": _bytes,
    "moment": _moment,
    "image": _image,
    "list": _list,
    "tuple": _tuple,
    "dict": _dict,
    "object": _object,
    "element": _element,
    "frame": _frame,
    "optional": _optional,
}

_WRITERS: dict[str, Callable[..., Converter]] = {
    "type": _pydantic_json,
    "image": _image_json,
    "list": _list_json,
    "tuple": _tuple_json,
    "dict": _dict_json,
    "object": _object_json,
    "frame": _frame_json,
    "optional": _optional_json,
}
