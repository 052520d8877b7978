"""The protocols by which a model is asked: each reads its body into a Question and writes the answer."""

from .events import Events
from .packing import packed, unpacked
from .protocol import ProtocolAdapter
from .request import Request
from .table import Protocols, health

__all__ = ["Events", "ProtocolAdapter", "Protocols", "Request", "health", "packed", "unpacked"]
