"""The request of the verb ``stream``; see ``domain.requests``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from jupyter_deploy.domain.base import FilePath
from jupyter_deploy.domain.requests import EndpointName, IfRevision, Reason, Request

from .spec import DEFAULT_ATTEMPTS, Begin


class StreamRequest(Request):
    """Answer the messages of a broker by an endpoint; without options, show its stream.

    A process of its own reads the messages, in one consumer group for the endpoint: it outlives notebook and shell.
    Each message is a request through the gateway, so canary, shadows, records and drift are those of HTTP. A message
    is acknowledged once its answer is in the sink. A message that the model refuses becomes a dead letter.

    For example: nbdeploy stream churn --source nats://localhost:4222/rows --sink nats://localhost:4222/scores.
    Details: docs/how-to/score-a-stream.md.
    """

    name: EndpointName
    source: str | None = Field(
        default=None,
        description="Messages to answer: nats://HOST:PORT/SUBJECT (JetStream) or redis://HOST:PORT/STREAM.",
    )
    sink: str | None = Field(default=None, description="Place of the answers, with the source's form.")
    dead_letters: str | None = Field(
        default=None,
        description="Place of the messages that cannot be answered, with the reason (default: the sink's with .dead at "
        "its end).",
    )
    begin: Begin = Field(
        default="next",
        description="Where the first start begins: with the next message, or with the first one that the broker has. "
        "Later starts go on where the last one ended.",
    )
    attempts: int = Field(
        default=DEFAULT_ATTEMPTS, ge=1, le=100, description="Failures of the model on a message until it is given up."
    )
    credentials: Annotated[str | None, FilePath()] = Field(
        default=None, description="A file whose one line is USER:PASSWORD for the broker."
    )
    stop: bool = Field(default=False, description="End the stream; its position in the broker stays.")
    if_revision: IfRevision = None
    reason: Reason = ""
