"""The request of the verb ``stream``; see ``domain.requests``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from jupyter_deploy.domain.base import FilePath
from jupyter_deploy.domain.requests import EndpointName, IfRevision, Reason, Request

from .spec import CREDENTIALS, DEAD_LETTERS, DEFAULT_ATTEMPTS, SINK, SOURCE, Attempts, Begins


class StreamRequest(Request):
    """Answer the messages of a broker by an endpoint; without options, show its stream.

    A process of its own reads the messages, in one consumer group for the endpoint: it outlives notebook and shell.
    Each message is a request through the gateway, so canary, shadows, records and drift are those of HTTP. A message
    is acknowledged once its answer is in the sink. A message that the model refuses becomes a dead letter.

    For example: nbdeploy stream churn --source nats://localhost:4222/rows --sink nats://localhost:4222/scores.
    Details: docs/how-to/score-a-stream.md.
    """

    name: EndpointName
    source: str | None = Field(default=None, description=SOURCE)
    sink: str | None = Field(default=None, description=SINK)
    dead_letters: str | None = Field(default=None, description=DEAD_LETTERS)
    begin: Begins = "next"
    attempts: Attempts = DEFAULT_ATTEMPTS
    credentials: Annotated[str | None, FilePath()] = Field(default=None, description=CREDENTIALS)
    stop: bool = Field(default=False, description="End the stream; its position in the broker stays.")
    if_revision: IfRevision = None
    reason: Reason = ""
