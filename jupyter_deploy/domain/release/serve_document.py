"""How an endpoint is called, as a part of its document: HTTP always, and the messages of a broker. Pure."""

from __future__ import annotations

from pydantic import Field

from jupyter_deploy.domain.base import Value
from jupyter_deploy.domain.stream.requests import StreamRequest
from jupyter_deploy.domain.stream.spec import StreamSpec

from .endpoint import Endpoint


class ServeDocument(Value):
    """The ways in which an endpoint is called besides HTTP."""

    stream: StreamSpec | None = Field(default=None, description="The messages that it answers; null: none.")

    def model_post_init(self, _context: object, /) -> None:
        """Check the addresses."""
        if self.stream is not None:
            self.stream.checked()


def serve_of(stream: StreamSpec | None) -> ServeDocument:
    """Return the part of the document for an endpoint's stream."""
    return ServeDocument(stream=stream)


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
