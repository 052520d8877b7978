"""Several results of one kind, as one thing that can be shown."""

from __future__ import annotations

from typing import Any


class Listing(list[Any]):
    """A list that a notebook shows as a table."""
