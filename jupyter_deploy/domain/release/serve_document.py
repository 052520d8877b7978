"""How an endpoint is called, as a part of its document: HTTP always, files by a schedule, a broker. Pure."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from jupyter_deploy.domain.base import Value
from jupyter_deploy.domain.batch.requests import BatchRequest
from jupyter_deploy.domain.batch.schedule import check_schedule
from jupyter_deploy.domain.batch.spec import BatchSpec
from jupyter_deploy.domain.stream.requests import StreamRequest
from jupyter_deploy.domain.stream.spec import StreamSpec

from .endpoint import Endpoint


class HttpDocument(Value):
    """Requests of HTTP, which an endpoint always answers: there is nothing to set."""


class ServeDocument(Value):
    """The ways in which an endpoint is called; one that is left out, but HTTP, ends."""

    http: HttpDocument = Field(default=HttpDocument(), description="Requests of HTTP, which it always answers.")
    batch: BatchSpec | None = Field(
        default=None, description="The files that it scores by a schedule; null: none. Paths are relative to the file."
    )
    stream: StreamSpec | None = Field(default=None, description="The messages that it answers; null: none.")

    def model_post_init(self, _context: object, /) -> None:
        """Check addresses and schedule."""
        if self.stream is not None:
            self.stream.checked()
        if self.batch is not None:
            check_schedule(self.batch.schedule)

    def within(self, folder: Path) -> ServeDocument:
        """Return it with the places of relative paths in a folder."""
        return self.model_copy(update={"batch": self.batch.within(folder)}) if self.batch else self


def batch_change(
    name: str, serve: ServeDocument | None, before: Endpoint | None, reason: str
) -> tuple[BatchRequest, str] | None:
    """Return the request that changes the schedule of batches, with its effect in words; None: it stays."""
    now = before.batch if before else None
    wanted = serve.batch.checked() if serve and serve.batch else None
    if serve is None or wanted == now:
        return None
    if wanted is None:
        return BatchRequest(name=name, stop=True, reason=reason), f"end the batches {now.words if now else ''}"
    request = BatchRequest(name=name, reason=reason, **wanted.model_dump(exclude_defaults=True))
    known = f"{now.words}, now " if now else ""
    same = now and (now.source, now.sink, now.keep, now.format) == (
        wanted.source, wanted.sink, wanted.keep, wanted.format,
    )  # fmt: skip
    read = "" if same else "; it reads all files of the source that stable has not scored into this sink"
    return request, f"batch: {known}{wanted.words}{read}"


def stream_change(
    name: str, serve: ServeDocument | None, before: Endpoint | None, reason: str
) -> tuple[StreamRequest, str] | None:
    """Return the request that changes the stream, with its effect in words; None: it stays.

    ``serve`` None: the document says nothing of it.
    """
    now = before.stream if before else None
    wanted = serve.stream.checked() if serve and serve.stream else None
    if serve is None or wanted == now:
        return None
    if wanted is None:
        return StreamRequest(name=name, stop=True, reason=reason), f"end the stream {now.words if now else ''}"
    request = StreamRequest(name=name, reason=reason, **wanted.model_dump(exclude_defaults=True))
    known = f"{now.words}, now " if now else ""
    again = "" if now and now.source == wanted.source else "; it reads where its group at the broker ended, else "
    place = "" if not again else "the first message" if wanted.begin == "first" else "the next message"
    return request, f"stream: {known}{wanted.words}{again}{place}"
