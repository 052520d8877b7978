"""Declared sizes of a Parquet file's pages, read before anything is decompressed.

pyarrow allocates the size that a page's header declares, and its objects for the metadata of a column end the process
if the metadata is malformed: a C++ exception passes through functions that are declared to raise none. So this module
reads the needed fields of the footer and of the page headers itself. Both are structs of Thrift's compact protocol
(parquet.thrift).
"""

from __future__ import annotations

import struct
from typing import Any

_MAGIC = b"PAR1"

# Numbers of fields in their structs.
_ROW_GROUPS = 4  # FileMetaData
_COLUMNS = 1  # RowGroup
_COLUMN_METADATA = 3  # ColumnChunk
_COMPRESSED, _DATA_PAGE, _DICTIONARY_PAGE = 7, 9, 11  # ColumnMetaData
_PAGE_UNCOMPRESSED, _PAGE_COMPRESSED, _DATA_V1, _DATA_V2 = 2, 3, 5, 8  # PageHeader
_ENCODING = {_DATA_V1: 2, _DATA_V2: 4}  # DataPageHeader, DataPageHeaderV2

_DELTA_BYTE_ARRAY = 7

# Types of the compact protocol.
_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY = 1, 2, 3, 7, 8
_LIST, _SET, _MAP, _STRUCT = 9, 10, 11, 12

# Far more than any file within the limit of a request needs; the values of a file of 5,000 columns are 200,000.
_MAX_VALUES = 1_000_000
_MAX_DEPTH = 16

_LONG = 128  # the first byte of a longer number


def announced_in_pages(content: bytes) -> int:
    """Return the bytes that all pages of a file declare to have after decompression.

    Raises
    ------
    ValueError
        The footer or the header of a page cannot be read, or a page has an encoding that multiplies its bytes.
    """
    end = len(content) - len(_MAGIC) - 4
    try:
        (length,) = struct.unpack_from("<I", content, end)
        if not content.endswith(_MAGIC) or not 0 < length <= end:
            raise IndexError  # noqa: TRY301  malformed lengths raise the same error
        reader = _Reader(content)
        groups = reader.struct_at(end - length)[_ROW_GROUPS]
        columns = [column[_COLUMN_METADATA] for group in groups for column in group[_COLUMNS]]
        return sum(_announced_by(reader, column) for column in columns)
    except (struct.error, IndexError, KeyError, TypeError, AttributeError) as error:
        raise ValueError("its footer or the header of a page cannot be read") from error


def _announced_by(reader: _Reader, column: dict[int, Any]) -> int:
    at = column[_DATA_PAGE]
    if 0 < column.get(_DICTIONARY_PAGE, 0) < at:
        at = column[_DICTIONARY_PAGE]
    end = at + column[_COMPRESSED]
    if at < 0 or end > len(reader.content):
        raise IndexError
    total = 0
    while at < end:
        header = reader.struct_at(at)
        unpacked, packed = header[_PAGE_UNCOMPRESSED], header[_PAGE_COMPRESSED]
        if unpacked < 0 or packed < 0:
            raise IndexError
        for kind, field in _ENCODING.items():
            if header.get(kind, {}).get(field) == _DELTA_BYTE_ARRAY:
                raise ValueError("a page has the encoding DELTA_BYTE_ARRAY; write the file with another encoding")
        total += unpacked
        at = reader.at + packed
    return total


class _Reader:
    """Reads structs of Thrift's compact protocol as dictionaries by field number.

    Attributes
    ----------
    at
        The position behind what was read last.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.at = 0
        self._left = _MAX_VALUES
        self._nested = {_LIST: self._list, _SET: self._list, _MAP: self._map, _STRUCT: self._struct}

    def struct_at(self, at: int) -> dict[int, Any]:
        """Return the struct at a position."""
        self.at = at
        return self._struct(0)

    def _struct(self, depth: int) -> dict[int, Any]:
        # Numbers and texts are nearly all values; a call for each would take three times as long.
        fields: dict[int, Any] = {}
        content, at, number = self.content, self.at, 0
        while head := content[at]:
            self._count()
            kind, step = head & 15, head >> 4
            self.at = at = at + 1
            if step:
                number += step
            else:
                number = self._signed()
                at = self.at
            value = content[at]
            if value < _LONG and _BYTE < kind < _DOUBLE:
                fields[number] = (value >> 1) ^ -(value & 1)
                at += 1
            elif value < _LONG and kind == _BINARY:
                begin = at + 1
                at = begin + value
                fields[number] = content[begin:at]
            elif kind in (_TRUE, _FALSE):
                fields[number] = kind == _TRUE
            else:
                fields[number] = self._value(kind, depth)
                at = self.at
        self.at = at + 1
        return fields

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise ValueError("its footer or the headers of its pages have too many values; send fewer columns")

    def _value(self, kind: int, depth: int) -> Any:
        if depth > _MAX_DEPTH:
            raise IndexError
        if _BYTE < kind < _DOUBLE:
            return self._signed()
        if kind in (_DOUBLE, _BINARY):
            return self._bytes(8 if kind == _DOUBLE else self._unsigned())
        nested = self._nested.get(kind)
        return self._byte() if nested is None else nested(depth + 1)

    def _list(self, depth: int) -> list[Any]:
        head = self._byte()
        size = head >> 4 if head >> 4 < 15 else self._unsigned()
        return [self._item(head & 15, depth) for _ in range(size)]

    def _map(self, depth: int) -> None:
        """Skip a map: no needed field is one."""
        size = self._unsigned()
        kinds = self._byte() if size else 0
        for _ in range(size):
            self._item(kinds >> 4, depth)
            self._item(kinds & 15, depth)

    def _item(self, kind: int, depth: int) -> Any:
        self._count()
        return self._value(kind, depth)

    def _byte(self) -> int:
        at = self.at
        self.at = at + 1
        return self.content[at]

    def _bytes(self, length: int) -> bytes:
        at = self.at
        self.at = at + length
        if self.at > len(self.content):
            raise IndexError
        return self.content[at : self.at]

    def _unsigned(self) -> int:
        content, at = self.content, self.at
        value = content[at]
        at += 1
        if value > 127:
            value &= 127
            shift = 7
            while True:
                byte = content[at]
                at += 1
                value |= (byte & 127) << shift
                if byte < 128:
                    break
                shift += 7
                if shift > 63:
                    raise IndexError
        self.at = at
        return value

    def _signed(self) -> int:
        value = self._unsigned()
        return (value >> 1) ^ -(value & 1)
