"""Reasons for which a container exits by itself."""

from __future__ import annotations

NOT_LOADED, WRONG_SETTING, EXAMPLE_DIFFERS = 1, 2, 3
"""Exit codes."""


class StartupError(Exception):
    """The container cannot start: exit code, reason and details."""

    def __init__(self, code: int, reason: str, details: str = "") -> None:
        super().__init__(reason)
        self.code, self.reason, self.details = code, reason, details
