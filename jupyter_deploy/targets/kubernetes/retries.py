"""Repetitions of requests to the API; imported at the first request, since urllib3 takes its time."""

from __future__ import annotations

from typing import Any

from typing_extensions import override
from urllib3 import Retry
from urllib3.exceptions import MaxRetryError, ReadTimeoutError


class Retries(Retry):
    """Repeats what a broken connection lost, and nothing that was not answered in time."""

    @override
    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: Any = None,
        error: Exception | None = None,
        _pool: Any = None,
        _stacktrace: Any = None,
    ) -> Retries:
        if isinstance(error, ReadTimeoutError):
            raise MaxRetryError(_pool, url, error) from error
        return super().increment(method, url, response, error, _pool, _stacktrace)
