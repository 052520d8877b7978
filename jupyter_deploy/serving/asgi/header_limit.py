"""The limit of a request's head: how many bytes are kept before it is complete.

uvicorn's fast parser has no limit of its own and copies a partial header with each piece that arrives.
"""

from __future__ import annotations

from functools import cache
from typing import Any

MAX_BYTES = 1024 * 1024
"""Far more than any gateway accepts; a piece that is read may also hold the end of another request."""

_DETAIL = b"the head of the request is too large"
_REFUSAL = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: %d\r\nconnection: close\r\n\r\n%b" % (len(_DETAIL), _DETAIL)
)


@cache
def install() -> None:
    """Make uvicorn refuse longer heads with 431, in this process."""
    # Patched, since neither uvicorn's command line nor `bentoml serve` accepts another class.
    try:
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol  # other servers serve too
    except ImportError:
        return
    received = HttpToolsProtocol.data_received

    def data_received(self: Any, data: bytes) -> None:
        received(self, data)
        if self.scope is None or "method" in self.scope:  # the method is set when the head is complete
            self.head_bytes = 0
            return
        self.head_bytes = getattr(self, "head_bytes", 0) + len(data)
        if self.head_bytes > MAX_BYTES and not self.transport.is_closing():
            self.transport.write(_REFUSAL)
            self.transport.close()

    HttpToolsProtocol.data_received = data_received  # type: ignore[method-assign]
