"""The last step before the gateway in its container: ``python start.py CONFIGURATION``; it becomes Envoy (``exec``).

Envoy reads no variables. The token of clients is a variable, so that no distributed file has it: the script writes it
into a copy of the configuration in the container's memory. ``--ask SOCKET`` checks a running one.

It uses only the standard library, since the image has nothing else of this package.
"""

from __future__ import annotations

import http.client
import os
import re
import socket
import sys
from pathlib import Path

ENVOY = Path(__file__).with_name("envoy")
COPY = Path(os.environ.get("TMPDIR") or "/tmp", "envoy.json")  # noqa: S108 - the container's own

_TOKEN = "NBDEPLOY_TOKEN"  # noqa: S105 - a variable's name
_PLACEHOLDER = f"${{{_TOKEN}}}"

# Characters that need no escape in a header or in the configuration, and enough of them.
_SANE = re.compile(r"[A-Za-z0-9._~+/=-]{16,512}")


def main(arguments: list[str]) -> int:  # noqa: RET503 - where it becomes Envoy it does not return
    """Become Envoy; returns the exit code of a failure, or of ``--ask``."""
    if arguments[:1] == ["--ask"]:
        return ask(arguments[1])
    environment = dict(os.environ)
    token = environment.pop(_TOKEN, "")
    text = Path(arguments[0]).read_text(encoding="utf-8")
    if _PLACEHOLDER in text:
        if not _SANE.fullmatch(token):
            _say(f"{_TOKEN} must be the token of clients: 16 to 512 of letters, digits and ._~+/=-")
            return 2
        text = text.replace(_PLACEHOLDER, token)
    with os.fdopen(os.open(COPY, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as copy:
        copy.write(text)
    command = [
        str(ENVOY), "-c", str(COPY), "--disable-hot-restart", "--concurrency", "2",
        "--file-flush-interval-msec", "200", "--log-level", "warning",
    ]  # fmt: skip
    os.execve(command[0], command, environment)


def ask(path: str) -> int:
    """The exit code 0 if Envoy reports on this socket that it is ready, else 1."""
    connection = http.client.HTTPConnection("admin", timeout=4)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(4)
    try:
        connection.sock.connect(path)
        connection.request("GET", "/ready")
        answer = connection.getresponse()
        state = answer.read().decode(errors="replace").strip()
    except OSError as error:
        _say(f"{path}: {error}")
        return 1
    _say(state)
    return 0 if answer.status == http.client.OK else 1


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
