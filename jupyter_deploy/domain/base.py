"""The base of the domain's values: frozen, strict about unknown fields."""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """An immutable value; two with equal fields are equal."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def now() -> datetime:
    """The present, in UTC."""
    return datetime.now(UTC)
