"""The port of brokers."""

from __future__ import annotations

from typing import Protocol

from .spec import StreamSpec


class StreamBrokers(Protocol):
    """Brokers of messages."""

    def prepare(self, endpoint: str, spec: StreamSpec, *, join: bool = True) -> None:
        """Check source, sink and dead letters, and with ``join`` make the endpoint's group unless there is one.

        Then messages that are published after the return are read.

        Raises
        ------
        InvalidInput
            No stream has the subject, the credentials cannot be read, or the broker's library is missing.
        TargetError
            The broker does not answer, or it refuses.
        """
