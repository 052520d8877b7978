"""Inference protocols: each parses its body into a ParsedRequest and writes the response."""

from .events import Events
from .packing import packed, unpacked
from .protocol import ProtocolAdapter
from .request import Request
from .table import Protocols, health

__all__ = ["Events", "ProtocolAdapter", "Protocols", "Request", "health", "packed", "unpacked"]
