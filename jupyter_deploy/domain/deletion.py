"""The deletion of an endpoint: request, result, and the note of it in the store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pydantic import Field

from .base import Value, size_in_words
from .requests import EndpointName, IfRevision, Request


class DeleteRequest(Request):
    """Delete an endpoint permanently, with its history, validations, records and feedback.

    Its releases stop after their pending requests. Its snapshots and bentos stay until 'nbdeploy gc' removes those that
    nothing uses; published images stay. The next delete completes one that was killed.
    """

    name: EndpointName
    dry_run: bool = Field(default=False, description="Show the contents of the endpoint; delete nothing.")
    keep_records: bool = Field(
        default=False, description="Keep records, feedback and the gateway's ledger; a later delete removes them."
    )
    yes: bool = Field(
        default=False,
        description="Delete without a question.",
        json_schema_extra={"confirmation": True},
    )
    if_revision: IfRevision = None
    reason: str = Field(default="", description="The reason; stored with the name of the deleted endpoint.")


class UnusedSnapshot(Value):
    """A snapshot of a deleted endpoint; ``bento`` is empty if its release ran from an image."""

    tag: str
    snapshot: str = Field(description="The folder in the model store.")
    bento: str = Field(description="The folder in the bento store.")
    size: int = Field(default=0, description="Bytes of both.")


class Deletion(Value):
    """The store's note of a deleted endpoint.

    Attributes
    ----------
    tags
        The releases of all its revisions.
    validations
        Ids of the validations, which name the folders of their reports.
    snapshots
        Those of its releases, which ``gc`` removes if nothing else uses them.
    complete
        False: parts of the endpoint may remain on disk.
    """

    endpoint: str
    target: str
    at: datetime
    by: str
    reason: str = ""
    keep_records: bool = False
    tags: tuple[str, ...] = ()
    revisions: int = 0
    validations: tuple[str, ...] = ()
    snapshots: tuple[UnusedSnapshot, ...] = ()
    complete: bool = False


class Deleted(Value):
    """A deleted endpoint; with ``dry_run``, its contents.

    A count of records is None if a damaged file prevents it.
    """

    endpoint: str
    releases: list[str] = Field(description="Tags of the releases that stop.")
    revisions: int
    validations: int
    records: int | None
    feedback: int | None
    ledger_lines: int | None
    bytes: int = Field(description="Of records, feedback and the reports of validations.")
    kept_records: bool = Field(default=False, description="Records, feedback and ledger stay.")
    snapshots: tuple[UnusedSnapshot, ...] = Field(default=(), description="Those that 'nbdeploy gc' removes.")
    published: tuple[str, ...] = Field(default=(), description="References of its images, which stay.")
    dry_run: bool = False

    @property
    def content(self) -> str:
        """The deleted things in words, with their counts and bytes."""
        parts = [_count(len(self.releases), "release"), _count(self.revisions, "revision")]
        parts.append(_count(self.validations, "validation"))
        if not self.kept_records:
            parts += [_count(self.records, "record"), _count(self.feedback, "line", "s of feedback", " of feedback")]
            parts.append(_count(self.ledger_lines, "line", "s of the gateway's ledger", " of the gateway's ledger"))
        return f"{in_a_row(parts)}; {size_in_words(self.bytes)}"


def _count(number: int | None, noun: str, several: str = "s", one: str = "") -> str:
    return f"{'an unknown number of' if number is None else number} {noun}{one if number == 1 else several}"


def in_a_row(parts: Sequence[str]) -> str:
    """Join words: ``a, b and c``."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
