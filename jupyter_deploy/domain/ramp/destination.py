"""The destination of notifications: a webhook or a command. Pure."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from urllib.parse import urlsplit

from jupyter_deploy.domain.errors import InvalidInput


@dataclass(frozen=True)
class Destination:
    """A webhook's URL, or a command line. ``name`` is for logs: neither path nor arguments, which may be secrets."""

    url: str | None = None
    command: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"the webhook at {urlsplit(self.url).hostname}" if self.url else f"the command {self.command[0]}"


def parse_destination(text: str) -> Destination:
    """Parse a URL, or a command line as a shell splits it; no shell runs it.

    Raises
    ------
    InvalidInput
        The text is neither; the message does not repeat it.
    """
    remedy = "write a URL such as https://hooks.example.org/…, or a command such as /home/ada/bin/tell"
    try:
        if "://" in text.partition(" ")[0]:
            parts = urlsplit(text.strip())
            if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
                return Destination(url=text.strip())
            raise InvalidInput("the URL of notifications is not of http or https, or has no host", remedy)
        command = tuple(shlex.split(text))
    except ValueError:
        raise InvalidInput("the destination of notifications cannot be parsed", remedy) from None
    if not command:
        raise InvalidInput("the destination of notifications is empty", remedy)
    return Destination(command=command)
