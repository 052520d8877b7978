"""Ports to the user's session: start at boot, notifications; see ``ports``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from .results import AtBoot


class Boot(Protocol):
    def switch(self, *, on: bool) -> AtBoot:
        """Reconcile at each boot, or no longer. Raises StoreError."""


class Notifier(Protocol):
    def send(self, event: Mapping[str, Any]) -> None:
        """Send a CloudEvent to the user's webhook or command, if one is set; a failure is logged, not raised."""
