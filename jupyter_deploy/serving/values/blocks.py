"""pandas frames from blocks: one array for all columns of numbers of one dtype, and one for each other column."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import GenericAlias
from typing import Any

import msgspec
import numpy as np

from .batches import Batches
from .codec import Codec
from .columns import as_numpy, plain
from .frames import FrameBuilder, block_of, joined
from .msgspec_types import NoFastPath, msgspec_type, row_struct
from .numeric import Numbers, are_numbers
from .pydantic_schemas import FORMAT_READERS
from .value_types import is_value_type, object_readers


class Frames(Batches):
    """Contents that are lists of blocks, in the order of ``self._places``."""

    def __init__(self, codec: Codec) -> None:
        prototype, value_types = codec.prototype, {}
        if is_value_type(prototype, "frame"):
            _, prototype, value_types = prototype
        self._builder = FrameBuilder(prototype, object_readers(value_types))
        properties = codec.schema.get("properties", {})
        together: dict[Any, list[int]] = {}
        others: list[int] = []
        for at, (key, dtype) in enumerate(zip(self._builder.keys, prototype.dtypes, strict=True)):
            numbers = key not in value_types and are_numbers(properties.get(key, {}), dtype)
            (together.setdefault(dtype, []) if numbers else others).append(at)
        self._numbers = [(Numbers(dtype), places) for dtype, places in together.items()]
        self._others = others
        self._places = [np.array(places) for places in (*together.values(), *([at] for at in others))]
        self._checks: dict[int, Callable[[str], Any]] = {}
        self._lists: dict[int, Any] = {}
        self._width: int | None = None
        if len(together) == 1 and not others and not codec.defaults:
            missing = any("null" in properties[key]["type"] for key in self._builder.keys)
            self._width = None if missing else len(self._builder.keys)
        super().__init__(codec)

    def content(self, instances: list[Any]) -> Any:
        values = self.rows.values(instances)  # type: ignore[union-attr]
        if len(self._places) == 1 and self._numbers:
            return [self._numbers[0][0].array(values, self._width).T]
        columns = list(zip(*values, strict=True))
        for at in self._checks:
            self._check(at, columns[at])
        blocks = [numbers.array([columns[at] for at in places]) for numbers, places in self._numbers]
        return blocks + [block_of(self._builder.column(at, list(columns[at]))) for at in self._others]

    def content_of_columns(self, columns: Mapping[str, Any]) -> Any:
        if self.rows is None or set(columns) != set(self._builder.keys):
            raise NoFastPath("other columns")
        keys, properties = self._builder.keys, self._codec.schema["properties"]
        blocks = []
        for numbers, places in self._numbers:
            pairs = [(as_numpy(columns[keys[at]]), properties[keys[at]]) for at in places]
            blocks.append(np.stack([numbers.of_array(array, schema) for array, schema in pairs]))
        for at in self._others:
            values = msgspec.convert(plain(columns[keys[at]]), self._lists[at], strict=True)
            self._check(at, values)
            blocks.append(block_of(self._builder.column(at, values)))
        return blocks

    def content_of(self, rows: list[Any]) -> Any:
        columns = self._builder.columns([[row.get(key) for row in rows] for key in self._builder.keys])
        blocks = [np.stack([columns[at] for at in places]) for _, places in self._numbers]
        blocks += [block_of(columns[at]) for at in self._others]
        return blocks or [np.empty((0, len(rows)))]  # a frame without columns

    def batch(self, contents: Sequence[Any]) -> Any:
        blocks = contents[0] if len(contents) == 1 else [joined(parts) for parts in zip(*contents, strict=True)]
        return self._builder.of_blocks(blocks, self._places)

    def _check(self, at: int, values: Sequence[Any]) -> None:
        read = self._checks.get(at)
        if read is not None:
            for value in values:
                if value is not None:
                    read(value)

    def _msgspec_type(self) -> Any:
        numbers = {at: one for one, places in self._numbers for at in places}

        def column(key: str, schema: Mapping[str, Any]) -> Any:
            at = self._builder.keys.index(key)
            if at in numbers:
                return numbers[at].type(schema)
            read = FORMAT_READERS.get(schema.get("format", ""))
            if read is not None:
                self._checks[at] = read
                schema = {name: value for name, value in schema.items() if name != "format"}
            kind = msgspec_type(schema)
            self._lists[at] = GenericAlias(list, kind)
            return kind

        self.rows = row_struct(self._codec.schema, self._builder.keys, column=column, absent=self._codec.defaults.get)
        return self.rows.type
