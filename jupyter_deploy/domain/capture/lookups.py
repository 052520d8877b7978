"""Features that a release looks up by a key, as a snapshot's manifest describes them."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from jupyter_deploy.domain.base import Value

from .schema import Schema

LOOKUPS = "lookups.pkl"
"""The definitions in a snapshot, in the order of ``Manifest.lookups``."""


class Lookup(Value):
    """Features of a request that may be replaced by a key."""

    key: str = Field(description="The name of the key in a request.")
    key_schema: Schema = Field(description="JSON Schema of a key.")
    features: tuple[str, ...] = Field(description="The names of the features that are looked up.")
    keys: tuple[Any, ...] = Field(
        default=(), description="The keys of the example's first rows; none: they were not compared with a lookup."
    )
