"""LitServe: its server takes requests, another process calls the model."""

from __future__ import annotations

from .peer import Peer

ENVIRONMENT = ("litserve", ("litserve", "numpy"))

SERVER = """\
import sys

import litserve


class Mlp(litserve.LitAPI):
    def setup(self, device):
        from model import predict

        self.ask = predict

    def decode_request(self, request):
        return request["instances"]

    def predict(self, rows):
        return self.ask(rows)

    def encode_response(self, output):
        return {{"predictions": output}}


if __name__ == "__main__":
    api = Mlp({api})
    litserve.LitServer(api, accelerator="cpu").run("127.0.0.1", int(sys.argv[1]), generate_client_file=False)
"""
BATCHED = SERVER.replace(
    "    def predict(self, rows):\n        return self.ask(rows)\n",
    "    def batch(self, requests):\n"
    "        self.sizes = [len(rows) for rows in requests]\n"
    "        return [row for rows in requests for row in rows]\n\n"
    "    def predict(self, rows):\n        return self.ask(rows)\n\n"
    "    def unbatch(self, found):\n"
    "        left = iter(found)\n"
    "        return [[next(left) for _ in range(size)] for size in self.sizes]\n",
)
RUN = ["{bin}/python", "server.py", "{port}"]

# What its documentation says of speed: batches. (Its "fast queue" makes it slower here.)
BATCHES = "max_batch_size=16, batch_timeout=0.001"

LITSERVE = (
    Peer("LitServe", ENVIRONMENT, {"server.py": SERVER.format(api="")}, RUN),
    Peer("LitServe, tuned", ENVIRONMENT, {"server.py": BATCHED.format(api=BATCHES)}, RUN),
)
