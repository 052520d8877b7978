"""pandas' frames made of blocks: one array for all columns that are numbers of one type, and one for each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import GenericAlias
from typing import Any

import msgspec
import numpy as np

from .batches import Batches
from .codec import Codec
from .columns import as_numpy, plain
from .frames import FrameMaker, block_of, joined
from .msgspec_types import NotPlain, row_type, value_type
from .numeric import Numbers, are_numbers
from .pydantic_schemas import FORMAT_READERS
from .value_types import is_form


class Frames(Batches):
    """A content is a list of blocks, in the order of ``self._places``."""

    def __init__(self, codec: Codec) -> None:
        prototype, forms = codec.prototype, {}
        if is_form(prototype, "frame"):
            _, prototype, forms = prototype
        self._maker = FrameMaker(prototype, forms)
        properties = codec.schema.get("properties", {})
        together: dict[Any, list[int]] = {}
        others: list[int] = []
        for at, (key, dtype) in enumerate(zip(self._maker.keys, prototype.dtypes, strict=True)):
            numbers = key not in forms and are_numbers(properties.get(key, {}), dtype)
            (together.setdefault(dtype, []) if numbers else others).append(at)
        self._numbers = [(Numbers(dtype), places) for dtype, places in together.items()]
        self._others = others
        self._places = [np.array(places) for places in (*together.values(), *([at] for at in others))]
        self._checks: dict[int, Callable[[str], Any]] = {}
        self._lists: dict[int, Any] = {}
        self._width: int | None = None
        if len(together) == 1 and not others and not codec.defaults:
            missing = any("null" in properties[key]["type"] for key in self._maker.keys)
            self._width = None if missing else len(self._maker.keys)
        super().__init__(codec)

    def content(self, instances: list[Any]) -> Any:
        values = self.rows.values(instances)  # type: ignore[union-attr]
        if len(self._places) == 1 and self._numbers:
            return [self._numbers[0][0].array(values, self._width).T]
        columns = list(zip(*values, strict=True))
        for at in self._checks:
            self._check(at, columns[at])
        blocks = [numbers.array([columns[at] for at in places]) for numbers, places in self._numbers]
        return blocks + [block_of(self._maker.column(at, list(columns[at]))) for at in self._others]

    def content_of_columns(self, columns: Mapping[str, Any]) -> Any:
        if self.rows is None or set(columns) != set(self._maker.keys):
            raise NotPlain("other columns")
        keys, properties = self._maker.keys, self._codec.schema["properties"]
        blocks = []
        for numbers, places in self._numbers:
            given = [(as_numpy(columns[keys[at]]), properties[keys[at]]) for at in places]
            blocks.append(np.stack([numbers.of_array(array, schema) for array, schema in given]))
        for at in self._others:
            values = msgspec.convert(plain(columns[keys[at]]), self._lists[at], strict=True)
            self._check(at, values)
            blocks.append(block_of(self._maker.column(at, values)))
        return blocks

    def content_of(self, rows: list[Any]) -> Any:
        columns = self._maker.columns([[row.get(key) for row in rows] for key in self._maker.keys])
        blocks = [np.stack([columns[at] for at in places]) for _, places in self._numbers]
        blocks += [block_of(columns[at]) for at in self._others]
        return blocks or [np.empty((0, len(rows)))]  # of a frame without columns

    def batch(self, contents: Sequence[Any]) -> Any:
        blocks = contents[0] if len(contents) == 1 else [joined(parts) for parts in zip(*contents, strict=True)]
        return self._maker.of_blocks(blocks, self._places)

    def _check(self, at: int, values: Sequence[Any]) -> None:
        read = self._checks.get(at)
        if read is not None:
            for value in values:
                if value is not None:
                    read(value)

    def _typed(self) -> Any:
        numbers = {at: one for one, places in self._numbers for at in places}

        def column(key: str, schema: Mapping[str, Any]) -> Any:
            at = self._maker.keys.index(key)
            if at in numbers:
                return numbers[at].type(schema)
            read = FORMAT_READERS.get(schema.get("format", ""))
            if read is not None:
                self._checks[at] = read
                schema = {name: value for name, value in schema.items() if name != "format"}
            kind = value_type(schema)
            self._lists[at] = GenericAlias(list, kind)
            return kind

        self.rows = row_type(self._codec.schema, self._maker.keys, column=column, absent=self._codec.defaults.get)
        return self.rows.type
