"""Serves one captured model over HTTP. It travels inside the bento and needs nothing but what BentoML brings.

``load`` verifies and unpickles the model; ``Front`` is the ASGI application in front of BentoML's own.
"""

from .front import Front
from .output import keep_writing
from .snapshot import load

__all__ = ["Front", "keep_writing", "load"]
