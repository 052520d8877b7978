"""The processor time of a thread, and how often it waited."""

from __future__ import annotations

import resource
import time
from typing import NamedTuple

_THREAD = getattr(resource, "RUSAGE_THREAD", None)  # Linux alone


class ThreadUsage(NamedTuple):
    """The usage of the calling thread since its start.

    Attributes
    ----------
    seconds
        Processor time.
    waits
        Times at which it gave up the processor to wait for something: a lock, a file, a network, a time. If another
        process takes its processor, that is no wait. None: unknown on this system.
    """

    seconds: float
    waits: int | None

    @classmethod
    def now(cls) -> ThreadUsage:
        """Return the usage so far."""
        if _THREAD is None:
            return cls(time.thread_time(), None)
        usage = resource.getrusage(_THREAD)  # one system call, as expensive as that of thread_time
        return cls(usage.ru_utime + usage.ru_stime, usage.ru_nvcsw)

    def waited_since(self, before: ThreadUsage) -> bool:
        """Return whether the thread waited after ``before``, or may have."""
        return self.waits is None or self.waits != before.waits
