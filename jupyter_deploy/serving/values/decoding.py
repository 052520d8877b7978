"""The decoder: from a request's bytes to the model's arguments, compiled once from the signature.

It has two paths. The fast path accepts plainly valid requests in one pass over the bytes. The slow path (``body``,
``validation``, ``codec``) takes the others, decides and reports the errors. Both paths accept the same requests and
give the same results, so only invalid requests are slow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from types import GenericAlias
from typing import Any

import msgspec
import numpy as np

from ..asgi import body
from ..asgi.problems import Problem
from ..dispatch.parsed_request import ParsedRequest, Raw
from .batches import Arrays, Batches, PolarsFrames
from .codec import Codec, InvalidInstances
from .columns import LazyParsedRequest, length_of, plain, record_of_array, record_of_columns, rows_of
from .plain_table_types import TableTypes

_LONG = 4096
"""Bytes from which NumPy counts faster than bytes.count()."""

_COLON = ord(":")


class Decoder:
    """Parses requests, and makes the model's arguments from parsed requests.

    Attributes
    ----------
    joinable
        Whether several requests can share a call.
    is_fast
        Whether there is a fast path.
    looks_up
        Whether a batch may wait for a database.
    """

    looks_up = False

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._batches = _batches_of(codec)
        self.joinable = codec.container != "call"
        self._decode: msgspec.json.Decoder[Any] | None = None
        self._type: Any = None
        if self._batches.type is not None:
            self._type = GenericAlias(list, self._batches.type)
            document = msgspec.defstruct("Document", [("instances", self._type)], forbid_unknown_fields=True, gc=False)
            self._decode = msgspec.json.Decoder(document)
        self.is_fast = self._decode is not None
        rows = self._batches.rows
        names = rows.names if rows else ()
        # The minimum of colons in an instance, without those in values.
        self._colons = sum(1 + name.count(":") for name in names)
        self._countable = rows is None or rows.complete
        self._escapable = self._colons > len(names)

    def json(self, content: bytes) -> ParsedRequest:
        """Parse ``{"instances": [...]}``.

        Raises
        ------
        Problem
            400, 422: the body is not JSON, or has another form.
        InvalidInstances
            Rows do not fit; the errors name each row and feature.
        """
        if self._decode is not None:
            try:
                instances = self._decode.decode(content).instances
                made = self._batches.content(instances) if instances else None
            except Exception:  # noqa: BLE001, S110  any error: the slow path decides
                pass
            else:
                return ParsedRequest(made, len(instances), self._inputs(content, len(instances)))
        document = body.parse(content)
        try:
            return self._slow_path(body.instances_in(document))
        except Problem as problem:
            problem.inputs = document.get("instances") if isinstance(document, dict) else None
            raise

    def instances(self, instances: list[Any]) -> ParsedRequest:
        """Parse JSON values.

        Raises
        ------
        InvalidInstances
            As ``json``.
        """
        if self._type is not None:
            try:
                read = msgspec.convert(instances, self._type, strict=True)
                return ParsedRequest(self._batches.content(read) if read else None, len(read), instances)
            except Exception:  # noqa: BLE001, S110  as above
                pass
        return self._slow_path(instances)

    def columns(self, columns: Mapping[str, Any]) -> ParsedRequest:
        """Parse columns of one length by name, NumPy or Arrow arrays that must not change.

        Missing values of Arrow, and NaN, count as ``null``.

        Raises
        ------
        InvalidInstances
            As ``json``.
        """
        count = length_of(columns)
        rows = self._batches.rows
        if rows is not None and rows.complete and count:
            try:
                made = self._batches.content_of_columns(columns)
            except Exception:  # noqa: BLE001, S110  as above
                pass
            else:
                return LazyParsedRequest(made, count, partial(record_of_columns, columns, rows))
        return self._slow_path(rows_of(columns))

    def array(self, array: np.ndarray[Any, Any]) -> ParsedRequest:
        """Parse an array of rows that must not change; NaN counts as ``null``.

        Raises
        ------
        InvalidInstances
            As ``json``.
        """
        try:
            made = self._batches.content_of_array(array)
        except Exception:  # noqa: BLE001  as above
            return self._slow_path(plain(array))
        return LazyParsedRequest(made if len(array) else None, len(array), partial(record_of_array, array))

    def batch(self, parsed_requests: Sequence[ParsedRequest]) -> Any:
        """Return the model's argument for the rows of all requests, in their order.

        A model may change its arguments, so a parsed request is used for one call only. Requests without rows are
        skipped.
        """
        return self._batches.batch([parsed.content for parsed in parsed_requests if parsed.rows])

    def _slow_path(self, instances: list[Any]) -> ParsedRequest:
        try:
            made = self._batches.content_of(self._codec.validated(instances)) if instances else None
        except InvalidInstances as invalid:
            invalid.inputs = instances
            raise
        return ParsedRequest(made, len(instances), instances)

    def _inputs(self, content: bytes, rows: int) -> Raw:
        """Return the list of instances as it arrived, on one line; written anew if a key is repeated.

        A decoded request has at least the counted colons. If it has exactly as many, no key is repeated and no string
        holds a colon.
        """
        if self._countable and not (self._escapable and b"\\" in content):
            colons = (
                content.count(b":")
                if len(content) < _LONG
                else int(np.count_nonzero(np.frombuffer(content, np.uint8) == _COLON))
            )
            if colons == 1 + rows * self._colons:
                if b"\n" in content or b"\r" in content:
                    content = content.translate(_SPACES)
                return Raw(memoryview(content)[content.index(b"[") : content.rindex(b"]") + 1])
        return Raw(msgspec.json.encode(msgspec.json.decode(content)["instances"]))


_SPACES = bytes.maketrans(b"\n\r", b"  ")


def _batches_of(codec: Codec) -> Batches:
    """Return the batches of a codec's container."""
    match codec.container:
        case "array" | "tensor":
            return Arrays(codec)
        case "frame" if hasattr(codec.prototype, "collect_schema"):
            return PolarsFrames(codec)
        case "frame" if isinstance(codec.prototype, TableTypes):
            from .plain_tables import PlainTables  # only where a model is translated

            return PlainTables(codec)
        case "frame":
            from .blocks import Frames  # pandas only where a model takes it

            return Frames(codec)
        case _:
            return Batches(codec)
