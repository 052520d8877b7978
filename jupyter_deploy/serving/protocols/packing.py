"""Bodies that come and go compressed; what comes is never unpacked beyond the limit."""

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

# Smaller answers cost more to compress than to send.
MIN_BYTES = 1024

# Of answers: speed counts, and the highest levels gain little on numbers.
_LEVEL = 1

# Each takes a copy of the rest.
_MAX_MEMBERS = 100

_GZIP = 31  # zlib's word for a gzip header

_UNPACKERS: dict[str, Callable[[], Any]] = {
    "gzip": lambda: zlib.decompressobj(_GZIP),
    "x-gzip": lambda: zlib.decompressobj(_GZIP),
    "deflate": zlib.decompressobj,
    # Within the window every decoder has to offer (RFC 8878): a frame may ask for 2 GiB.
    "zstd": lambda: zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: 23}),
}

_PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "zstd": lambda content: zstd.compress(content, _LEVEL),
    "gzip": lambda content: zlib.compress(content, _LEVEL, _GZIP),
}

_BROKEN = (zlib.error, zstd.ZstdError, EOFError)


def unpacked(content: bytes, request: Request) -> bytes:
    """The content as its sender had it before ``content-encoding``.

    Raises
    ------
    Problem
        413: it is larger than the request's limit; no more than that was unpacked. 415: another encoding.
        400: it is broken.
    """
    encoding = request.header(b"content-encoding").strip().lower()
    if not encoding or encoding == "identity":
        return content
    if encoding not in _UNPACKERS:
        known = "gzip, zstd, deflate"
        raise Problem(415, f"'content-encoding: {encoding[:80]}' is not understood; send {known}, or the body as it is")
    try:
        return _joined(content, _UNPACKERS[encoding], request.limit)
    except _BROKEN as error:
        raise Problem(400, f"the body is not what 'content-encoding: {encoding}' says: {error}") from error


def _joined(content: bytes, unpacker: Callable[[], Any], limit: int) -> bytes:
    """All of its members or frames, one after the other."""
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
    """The answer in an encoding that the client takes, if it is long enough to be worth it."""
    if len(answer.body) < MIN_BYTES or b"accept-encoding" not in request.headers:
        return answer
    encoding = request.encoding(list(_PACKERS))
    if encoding is None:
        return answer
    headers = ((b"content-encoding", encoding.encode("ascii")), (b"vary", b"accept-encoding"))
    return replace(answer, body=_PACKERS[encoding](answer.body), headers=(*answer.headers, *headers))
