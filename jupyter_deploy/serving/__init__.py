"""The application that serves one captured model over HTTP and travels inside the bento. It needs BentoML and its lock.

``load`` verifies and unpickles the model; ``Front`` is the ASGI application in front of BentoML's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .asgi.front import Front
    from .output import keep_writing
    from .snapshot import load

__all__ = ["Front", "keep_writing", "load"]


def __getattr__(name: str) -> Any:
    """Import an exported name on first use: comparing answers and reading the role need no NumPy."""
    if name == "Front":
        from .asgi.front import Front

        return Front
    if name == "keep_writing":
        from .output import keep_writing

        return keep_writing
    if name == "load":
        from .snapshot import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
