"""The destinations of notifications: a webhook or a command, and a mail server. Pure."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from jupyter_deploy.domain.errors import InvalidInput

_ADDRESS = re.compile(r"[^@\s,;<>\"]+@[^@\s,;<>\"]+")
_PORTS = {"smtp": 25, "smtps": 465}


@dataclass(frozen=True)
class Destination:
    """A webhook's URL, or a command line. ``name`` is for logs: neither path nor arguments, which may be secrets."""

    url: str | None = None
    command: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"the webhook at {urlsplit(self.url).hostname}" if self.url else f"the command {self.command[0]}"


@dataclass(frozen=True)
class MailServer:
    """A mail server; ``encrypted``: from the first byte (``smtps``), else by STARTTLS if it offers that."""

    host: str
    port: int
    encrypted: bool
    user: str = ""
    password: str = field(default="", repr=False)


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


def parse_address(text: str) -> str:
    """Parse an e-mail address.

    Raises
    ------
    InvalidInput
        The text is not one address.
    """
    if not _ADDRESS.fullmatch(text.strip()):
        raise InvalidInput("the e-mail address of notifications is none", "write one, such as ada@example.org")
    return text.strip()


def parse_mail_server(text: str) -> MailServer:
    """Parse ``smtp://HOST:PORT`` or ``smtps://USER:PASSWORD@HOST``; special characters are percent-encoded.

    Raises
    ------
    InvalidInput
        The text is no such URL; the message does not repeat it.
    """
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), 0
    if parts.scheme not in _PORTS or not parts.hostname or port == 0:
        raise InvalidInput(
            "the mail server of notifications cannot be parsed",
            "write smtp://HOST:PORT or smtps://USER:PASSWORD@HOST, with special characters percent-encoded",
        )
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return MailServer(parts.hostname, port or _PORTS[parts.scheme], parts.scheme == "smtps", user, password)
