"""How an endpoint is called, as a part of its document: HTTP always, and the messages of a broker. Pure."""

from __future__ import annotations

from pydantic import Field

from jupyter_deploy.domain.base import Value
from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.stream.requests import StreamRequest
from jupyter_deploy.domain.stream.spec import DEFAULT_ATTEMPTS, Begin, StreamSpec, stream_spec

from .endpoint import Endpoint


class StreamDocument(Value):
    """The stream of an endpoint's document."""

    source: str = Field(description="Messages to answer: nats://HOST:PORT/SUBJECT or redis://HOST:PORT/STREAM.")
    sink: str = Field(description="Place of the answers, with the source's form.")
    dead_letters: str | None = Field(
        default=None, description="Place of the messages that cannot be answered; default: the sink's with .dead."
    )
    begin: Begin = Field(default="next", description="Where the first start begins: next, or first.")
    attempts: int = Field(default=DEFAULT_ATTEMPTS, ge=1, description="Failures on a message until it is given up.")
    credentials: str | None = Field(default=None, description="A file whose one line is USER:PASSWORD.")

    @property
    def spec(self) -> StreamSpec:
        """The checked desired state. Raises InvalidInput."""
        return stream_spec(
            self.source,
            self.sink,
            dead_letters=self.dead_letters,
            begin=self.begin,
            attempts=self.attempts,
            credentials=self.credentials or "",
        )


class ServeDocument(Value):
    """The ways in which an endpoint is called besides HTTP."""

    stream: StreamDocument | None = Field(default=None, description="The messages that it answers; null: none.")

    def model_post_init(self, _context: object, /) -> None:
        """Check the addresses."""
        if self.stream is not None:
            _ = self.stream.spec
            if not (self.stream.credentials or "/").startswith("/"):
                raise InvalidInput("the path of the stream's credentials is not absolute", "write the whole path")


def serve_of(stream: StreamSpec | None) -> ServeDocument:
    """Return the part of the document for an endpoint's stream."""
    if stream is None:
        return ServeDocument()
    given = stream.model_dump(mode="json")
    return ServeDocument(stream=StreamDocument(**given | {"credentials": stream.credentials or None}))


def stream_change(
    name: str, serve: ServeDocument | None, before: Endpoint | None, reason: str
) -> tuple[StreamRequest, str] | None:
    """Return the request that changes the stream, with its effect in words; None: it stays.

    ``serve`` None: the document says nothing of it.
    """
    now = before.stream if before else None
    wanted = serve.stream.spec if serve and serve.stream else None
    if serve is None or wanted == now:
        return None
    if wanted is None:
        return StreamRequest(name=name, stop=True, reason=reason), f"end the stream {now.words if now else ''}"
    request = StreamRequest(
        name=name,
        source=wanted.source,
        sink=wanted.sink,
        dead_letters=wanted.dead_letters,
        begin=wanted.begin,
        attempts=wanted.attempts,
        credentials=wanted.credentials or None,
        reason=reason,
    )
    known = f"{now.words}, now " if now else ""
    again = "" if now and now.source == wanted.source else "; it reads where its group at the broker ended, else "
    place = "" if not again else "the first message" if wanted.begin == "first" else "the next message"
    return request, f"stream: {known}{wanted.words}{again}{place}"
