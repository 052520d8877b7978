"""``python -m scripts.bench.stalls``: what makes BentoML's own stack stop for a tenth of a second now and then.

The same function, mounted in a BentoML service with access log, metrics and tracing off, three times: as it is; with a
time limit for requests of one second, in place of sixty; and with Python's garbage collector off. The workers note each
full collection, in time of the processor, so that other work on the machine does not count.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from tempfile import TemporaryDirectory

from .peers.bentoml import ENVIRONMENT, RUN, VARIABLES
from .peers.peer import Peer
from .servers import Server, in_turns

SECONDS, ROUNDS = 10, 2

_SERVER = """
import gc, json, time
import bentoml
from model import predict

notes = open("collections.jsonl", "a", buffering=1)
began = 0.0

def noted(phase, about):
    global began
    if about["generation"] == 2:
        if phase == "start":
            began = time.thread_time()
        else:
            took = (time.thread_time() - began) * 1000
            notes.write(json.dumps({"ms": took, "freed": about["collected"], "objects": len(gc.get_objects())}) + "\\n")

async def app(scope, receive, send):
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    answer = json.dumps({"predictions": predict(json.loads(body)["instances"])}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})

@bentoml.service(
    logging={"access": {"enabled": False}}, metrics={"enabled": False}, tracing={"sample_rate": 0.0},
    traffic={"timeout": TIMEOUT},
)
@bentoml.asgi_app(app, path="/mounted")
class Mounted:
    def __init__(self):
        gc.callbacks.append(noted)
        if not COLLECTED:
            gc.disable()
"""
VARIANTS = {
    "as it is": ("60", "True"),
    "requests limited to 1 s": ("1", "True"),
    "garbage collector off": ("60", "False"),
}


def main() -> None:
    """Ask all three in turns, and print what their collections took."""
    with TemporaryDirectory(prefix="nbdeploy-bench-") as folder, contextlib.ExitStack() as running:
        servers = {}
        for number, (name, (timeout, collected)) in enumerate(VARIANTS.items()):
            code = _SERVER.replace("TIMEOUT", timeout).replace("COLLECTED", collected)
            run = [part.replace("Mlp", "Mounted") for part in RUN]
            peer = Peer(name, ENVIRONMENT, {"server.py": code}, run, "/mounted/", variables=VARIABLES)
            place = Path(folder) / str(number)
            servers[name] = Server(running.enter_context(peer.served(place)), place)
        for server in servers.values():
            _notes(server).write_text("")  # what was collected while it started
        found = in_turns(servers, [[0.1] * 30], rounds=ROUNDS, clients=16, seconds=SECONDS, warm=False)
        for name, one in found.items():
            print(f"{name}: {one.rate:.0f} requests a second, {one.note}")
            for note in map(json.loads, _notes(servers[name]).read_text().splitlines()):
                print(f"    full collection: {note['ms']:.0f} ms, {note['objects']:,} objects, {note['freed']} freed")


def _notes(server: Server) -> Path:
    return server.folder / "collections.jsonl"


if __name__ == "__main__":
    main()
