"""Redacted values of the requests that a call answers, masked in the model's output."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial

from ..output_masking import masking, texts_of
from .request_queue import PendingRequest


def mask_output(requests: Sequence[PendingRequest]) -> AbstractContextManager[None]:
    """Mask the values of redacted columns in what the model prints while it answers these requests."""
    redacted = [pending for pending in requests if pending.context.record.redact]
    return masking(partial(_texts, redacted)) if redacted else nullcontext()


def _texts(requests: Sequence[PendingRequest]) -> Iterator[str]:
    for pending in requests:
        if pending.parsed is not None:
            yield from texts_of(pending.parsed.inputs, pending.context.record.redact)
