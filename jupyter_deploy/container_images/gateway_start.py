"""The last step before the gateway in its container: ``python start.py CONFIGURATION``; it becomes Envoy (``exec``).

Envoy reads no variables. The token that clients must carry is one, so that it stands in no file that is handed on: it
is put into a copy of the configuration, in the container's memory. ``--ask SOCKET`` asks a running one how it is.

Only the standard library, and nothing of this package: it lies in the image by itself.
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

# What a header, and the configuration, may hold as it is; and too long to be guessed.
_SANE = re.compile(r"[A-Za-z0-9._~+/=-]{16,512}")


def main(arguments: list[str]) -> int:  # noqa: RET503 - where it becomes Envoy it does not return
    """Become Envoy; the exit code if that cannot be, or of the answer."""
    if arguments[:1] == ["--ask"]:
        return ask(arguments[1])
    environment = dict(os.environ)
    token = environment.pop(_TOKEN, "")
    text = Path(arguments[0]).read_text(encoding="utf-8")
    if _PLACEHOLDER in text:
        if not _SANE.fullmatch(token):
            _say(f"{_TOKEN} is to be the token that clients must carry: 16 to 512 of letters, digits and ._~+/=-")
            return 2
        text = text.replace(_PLACEHOLDER, token)
    with os.fdopen(os.open(COPY, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as copy:
        copy.write(text)
    command = [
        str(ENVOY), "-c", str(COPY), "--disable-hot-restart", "--concurrency", "2",
        "--file-flush-interval-msec", "200", "--log-level", "warning",
    ]  # fmt: skip
    os.execve(command[0], command, environment)  # noqa: S606 - that is what it is for


def ask(path: str) -> int:
    """0: Envoy says on this socket that it serves."""
    connection = http.client.HTTPConnection("admin", timeout=4)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(4)
    try:
        connection.sock.connect(path)
        connection.request("GET", "/ready")
        answer = connection.getresponse()
        said = answer.read().decode(errors="replace").strip()
    except OSError as error:
        _say(f"{path}: {error}")
        return 1
    _say(said)
    return 0 if answer.status == http.client.OK else 1


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
