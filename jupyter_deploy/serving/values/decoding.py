"""From the bytes of a request to what the model is called with; compiled once from the signature.

There are two ways. The fast one takes what is plainly right, in one pass over the bytes. What it does not take goes
the slow way (``body``, ``validation``, ``codec``), which decides and says what is wrong. So errors cost only where they
are, and both ways take the same and give the same.
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
from .batches import batches_of
from .codec import Codec, InvalidInstances
from .columns import LazyParsedRequest, array_json, length_of, plain, rows_json, rows_of

_LONG = 4096
"""Bytes; from here on numpy counts faster than bytes do."""

_COLON = ord(":")


class Decoder:
    """Makes Questions of requests, and of Questions what the model is called with.

    Attributes
    ----------
    joinable
        Whether several questions can become one call.
    is_fast
        Whether there is a fast way.
    """

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._batches = batches_of(codec)
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
        # How many colons an instance has at least, none of them in a value.
        self._colons = sum(1 + name.count(":") for name in names)
        self._countable = rows is None or rows.complete
        self._escapable = self._colons > len(names)

    def json(self, content: bytes) -> ParsedRequest:
        """The question in ``{"instances": [...]}``.

        Raises
        ------
        Problem
            400, 422: it is not JSON, or of another form.
        InvalidInstances
            It names each row, and in it the feature, that does not fit.
        """
        if self._decode is not None:
            try:
                instances = self._decode.decode(content).instances
                made = self._batches.content(instances) if instances else None
            except Exception:  # noqa: BLE001, S110  whatever it is, the slow way decides
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
        """The question of JSON values.

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
        """The question of columns of one length by name: numpy's arrays or Arrow's, which nobody changes.

        What is missing in Arrow and what is NaN counts as ``null``.

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
                return LazyParsedRequest(made, count, partial(rows_json, columns, rows))
        return self._slow_path(rows_of(columns))

    def array(self, array: np.ndarray[Any, Any]) -> ParsedRequest:
        """The question of an array with a row for each answer, which nobody changes; NaN counts as ``null``.

        Raises
        ------
        InvalidInstances
            As ``json``.
        """
        try:
            made = self._batches.content_of_array(array)
        except Exception:  # noqa: BLE001  as above
            return self._slow_path(plain(array))
        return LazyParsedRequest(made if len(array) else None, len(array), partial(array_json, array))

    def batch(self, parsed_requests: Sequence[ParsedRequest]) -> Any:
        """What the model is called with, for the rows of all the questions in their order.

        A model may change what it is given: a question that was asked alone is not asked again. One without rows has
        nothing to ask.
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
        """The list of instances as it came, on one line; written anew if a key stands in it twice.

        What is decoded has at least these colons: if it has no more, no key is there twice and no string holds one.
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
