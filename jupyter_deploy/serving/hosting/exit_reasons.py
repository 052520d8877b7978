"""Why a container ends by itself."""

from __future__ import annotations

NOT_LOADED, WRONG_SETTING, ANSWERED_OTHERWISE = 1, 2, 3
"""Exit codes."""


class Failed(Exception):
    """It cannot go on: the exit code and why."""

    def __init__(self, code: int, why: str, details: str = "") -> None:
        super().__init__(why)
        self.code, self.why, self.details = code, why, details
