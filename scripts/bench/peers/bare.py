"""What can be had at all: an ASGI function that validates, records and tells nothing."""

from __future__ import annotations

from .peer import Peer

SERVER = """\
import orjson
from model import predict

HEAD = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]}


async def app(scope, receive, send):
    if scope["type"] != "http":
        raise RuntimeError("only HTTP")
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    answer = orjson.dumps({"predictions": predict(orjson.loads(body)["instances"])})
    await send(HEAD)
    await send({"type": "http.response.body", "body": answer})
"""
BARE = Peer(
    "a bare ASGI function",
    ("asgi", ("uvicorn", "uvloop", "httptools", "orjson", "numpy")),
    {"server.py": SERVER},
    ["{bin}/python", "-m", "uvicorn", "--port", "{port}", "--no-access-log", "--log-level", "warning",
     "--loop", "uvloop", "--http", "httptools", "--lifespan", "off", "server:app"],
)  # fmt: skip
