"""Declared sizes of Arrow IPC messages, read before anything is decompressed.

A compressed buffer begins with its decompressed length, and pyarrow allocates that many bytes first. The position of
the buffers is in the message's metadata, a flatbuffer (Message.fbs), and the position of a file's messages in its
footer (File.fbs). This module reads the needed fields of both.
"""

from __future__ import annotations

import struct
from typing import Any

_DICTIONARY, _RECORDS = 2, 3

# Positions of fields in their tables.
_HEADER_TYPE, _HEADER = 1, 2
_DICTIONARY_DATA = 1
_BUFFERS, _COMPRESSION = 2, 3

_NOT_COMPRESSED = -1

_DICTIONARIES, _BATCHES = 2, 3
_BLOCK_BYTES = 24

_END = b"ARROW1"
_CONTINUED = -1


def announced_in_file(content: bytes) -> int:
    """Return the declared bytes of all messages of a file, each counted as often as the footer lists it.

    Raises
    ------
    ValueError
        The footer or a message cannot be read.
    """
    view = memoryview(content)
    try:
        end = len(content) - len(_END) - 4
        (length,) = struct.unpack_from("<i", content, end)
        if not content.endswith(_END) or not 0 < length <= end:
            raise IndexError  # noqa: TRY301  malformed offsets raise the same errors
        footer = view[end - length : end]
        root = _follow(footer, 0)
        return sum(_announced_by(view, footer, _field(footer, root, number)) for number in (_DICTIONARIES, _BATCHES))
    except (struct.error, IndexError) as error:
        raise ValueError("its footer cannot be read") from error


def _announced_by(view: memoryview, footer: memoryview, blocks: int | None) -> int:
    if blocks is None:
        return 0
    vector = _follow(footer, blocks)
    (count,) = struct.unpack_from("<I", footer, vector)
    total = 0
    for number in range(count):
        offset, before_body, length = struct.unpack_from("<qi4xq", footer, vector + 4 + _BLOCK_BYTES * number)
        if min(offset, before_body, length) < 0 or offset + before_body + length > len(view):
            raise IndexError
        (first,) = struct.unpack_from("<i", view, offset)
        begin = offset + (8 if first == _CONTINUED else 4)
        body = offset + before_body
        total += announced(view[begin:body], view[body : body + length])
    return total


def announced(metadata: Any, body: Any) -> int:
    """Return the bytes that a message's compressed buffers declare; 0 if there are none.

    Raises
    ------
    ValueError
        The metadata cannot be read.
    """
    view = memoryview(metadata)
    try:
        message = _follow(view, 0)
        kind = _field(view, message, _HEADER_TYPE)
        header = _field(view, message, _HEADER)
        if kind is None or header is None:
            return 0
        table = _follow(view, header)
        if view[kind] == _DICTIONARY:
            inner = _field(view, table, _DICTIONARY_DATA)
            if inner is None:
                return 0
            table = _follow(view, inner)
        elif view[kind] != _RECORDS:
            return 0
        if _field(view, table, _COMPRESSION) is None:
            return 0
        return _sum(view, _field(view, table, _BUFFERS), memoryview(body or b""))
    except (struct.error, IndexError) as error:
        raise ValueError("a message's metadata cannot be read") from error


def _sum(view: memoryview, buffers: int | None, body: memoryview) -> int:
    if buffers is None:
        return 0
    vector = _follow(view, buffers)
    (count,) = struct.unpack_from("<I", view, vector)
    total = 0
    for number in range(count):
        offset, length = struct.unpack_from("<qq", view, vector + 4 + 16 * number)
        if length < 8:
            continue
        (unpacked,) = struct.unpack_from("<q", body, offset)
        total += length if unpacked == _NOT_COMPRESSED else max(0, unpacked)
    return total


def _follow(view: memoryview, at: int) -> int:
    """Return the target of an offset."""
    (offset,) = struct.unpack_from("<I", view, at)
    return int(at + offset)


def _field(view: memoryview, table: int, number: int) -> int | None:
    """Return the position of a table's field; None if the table lacks it."""
    (back,) = struct.unpack_from("<i", view, table)
    vtable = table - back
    if vtable < 0:
        raise IndexError
    (size,) = struct.unpack_from("<H", view, vtable)
    if 4 + 2 * number + 2 > size:
        return None
    (offset,) = struct.unpack_from("<H", view, vtable + 4 + 2 * number)
    return table + offset if offset else None
