"""Content encodings: decompression of bodies, never beyond the limit, and compression of responses."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..asgi.body import too_large
from ..asgi.messages import Response
from ..asgi.problems import Problem
from .request import Request

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

# Smaller responses cost more to compress than to send.
MIN_BYTES = 1024

# Level of responses: high levels cost time and gain little on numbers.
_LEVEL = 1

# Each member copies the rest of the content.
_MAX_MEMBERS = 100

_GZIP = 31  # zlib's code of a gzip header

_UNPACKERS: dict[str, Callable[[], Any]] = {
    "gzip": lambda: zlib.decompressobj(_GZIP),
    "x-gzip": lambda: zlib.decompressobj(_GZIP),
    "deflate": zlib.decompressobj,
    # The window that every decoder must support (RFC 8878); a frame may demand 2 GiB.
    "zstd": lambda: zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: 23}),
}

_PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "zstd": lambda content: zstd.compress(content, _LEVEL),
    "gzip": lambda content: zlib.compress(content, _LEVEL, _GZIP),
}

_BROKEN = (zlib.error, zstd.ZstdError, EOFError)


def unpacked(content: bytes, request: Request) -> bytes:
    """Decompress a body.

    Raises
    ------
    Problem
        413: the content exceeds the request's limit; no more than that was decompressed. 415: the encoding is unknown.
        400: the content is malformed.
    """
    encoding = request.header(b"content-encoding").strip().lower()
    if not encoding or encoding == "identity":
        return content
    if encoding not in _UNPACKERS:
        known = "gzip, zstd, deflate"
        raise Problem(
            415, f"'content-encoding: {encoding[:80]}' is not supported; send {known}, or the body uncompressed"
        )
    try:
        return _joined(content, _UNPACKERS[encoding], request.limit)
    except _BROKEN as error:
        raise Problem(400, f"the body is not valid {encoding}: {error}") from error


def _joined(content: bytes, unpacker: Callable[[], Any], limit: int) -> bytes:
    """Decompress all members or frames, one after the other."""
    parts: list[bytes] = []
    left = limit
    for _ in range(_MAX_MEMBERS):
        member = unpacker()
        part = member.decompress(content, left + 1)
        if len(part) > left:
            raise too_large(limit)
        if not member.eof:
            raise EOFError("it ends too early")
        parts.append(part)
        left -= len(part)
        content = member.unused_data
        if not content:
            return b"".join(parts)
    raise EOFError(f"it has more than {_MAX_MEMBERS} members")


def packed(answer: Response, request: Request) -> Response:
    """Compress a response with an encoding that the client accepts, if it is long enough."""
    if len(answer.body) < MIN_BYTES or b"accept-encoding" not in request.headers:
        return answer
    encoding = request.encoding(list(_PACKERS))
    if encoding is None:
        return answer
    headers = ((b"content-encoding", encoding.encode("ascii")), (b"vary", b"accept-encoding"))
    return replace(answer, body=_PACKERS[encoding](answer.body), headers=(*answer.headers, *headers))
