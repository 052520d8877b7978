"""Reasons for which a container exits by itself."""

from __future__ import annotations

NOT_LOADED, WRONG_SETTING, EXAMPLE_DIFFERS = 1, 2, 3
"""Exit codes."""

TERMINATION_LOG = "NBDEPLOY_TERMINATION_LOG"
"""The variable of an existing file that gets the reason of a failed start."""


class StartupError(Exception):
    """The container cannot start: exit code, reason and details."""

    def __init__(self, code: int, reason: str, details: str = "") -> None:
        super().__init__(reason)
        self.code, self.reason, self.details = code, reason, details
