"""How much of a request's head is kept before it is whole.

uvicorn's quick parser has no limit of its own, and copies what it has of a header with each piece that comes.
"""

from __future__ import annotations

from functools import cache
from typing import Any

MAX_BYTES = 1024 * 1024
"""Far more than any gateway lets through; a piece that is read may hold the end of another request too."""

_DETAIL = b"the head of the request is too large"
_REFUSAL = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: %d\r\nconnection: close\r\n\r\n%b" % (len(_DETAIL), _DETAIL)
)


@cache
def install() -> None:
    """Have uvicorn refuse longer ones, in this process."""
    # In its place, since neither its command line nor `bentoml serve` takes another class.
    try:
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol  # noqa: PLC0415 - other servers serve too
    except ImportError:
        return
    received = HttpToolsProtocol.data_received

    def data_received(self: Any, data: bytes) -> None:
        received(self, data)
        if self.scope is None or "method" in self.scope:  # which is what is said last of a head
            self.head_bytes = 0
            return
        self.head_bytes = getattr(self, "head_bytes", 0) + len(data)
        if self.head_bytes > MAX_BYTES and not self.transport.is_closing():
            self.transport.write(_REFUSAL)
            self.transport.close()

    HttpToolsProtocol.data_received = data_received  # type: ignore[method-assign]
