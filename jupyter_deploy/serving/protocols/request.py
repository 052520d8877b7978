"""The headers and the limit of a request, as protocols see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from email.message import Message
from typing import Any

from ..asgi.messages import header

EVENTS = "text/event-stream"


@dataclass(slots=True)
class Request:
    """One request's headers, and the protocol's own data between parsing and answering.

    Attributes
    ----------
    limit
        Limit of the decompressed content in bytes.
    kept
        The protocol's own data, such as the selected output tensors.
    """

    headers: dict[bytes, bytes]
    limit: int
    kept: Any = field(default=None)

    def header(self, name: bytes) -> str:
        """Return a header by its lower-case name; empty if it is missing."""
        return header(self.headers, name)

    @property
    def media_type(self) -> str:
        """The body's media type in lower case, without parameters."""
        return self.header(b"content-type").partition(";")[0].strip().lower()

    def media_parameter(self, name: str) -> str:
        """Return a parameter of the body's media type, such as ``charset``; empty if it is missing."""
        parsed = Message()
        parsed["content-type"] = self.header(b"content-type")
        value = parsed.get_param(name)
        return value.strip().lower() if isinstance(value, str) else ""

    @property
    def wants_events(self) -> bool:
        accept = self.headers.get(b"accept")
        return accept is not None and b"event-stream" in accept and self.preferred([EVENTS]) == EVENTS

    def preferred(self, offered: Sequence[str]) -> str | None:
        """Return the offered media type that the client prefers, the first of equals; None: none is named."""
        return _best(self.header(b"accept"), offered)

    def encoding(self, offered: Sequence[str]) -> str | None:
        """Return the offered content encoding that the client prefers, the first of equals; None if it accepts none."""
        return _best(self.header(b"accept-encoding"), offered)


def _best(header_value: str, offered: Sequence[str]) -> str | None:
    weights: dict[str, float] = {}
    for choice in header_value.lower().split(","):
        name, *parameters = (part.strip() for part in choice.split(";"))
        weights[name] = min((_weight(parameter) for parameter in parameters), default=1.0)
    ranked = max(offered, key=lambda name: weights.get(name, 0.0), default=None)
    return ranked if ranked is not None and weights.get(ranked, 0.0) > 0 else None


def _weight(parameter: str) -> float:
    name, _, value = parameter.partition("=")
    try:
        return float(value) if name.strip() == "q" else 1.0
    except ValueError:
        return 0.0
