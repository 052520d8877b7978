"""Where a benchmark happens: a home of its own, a warm kernel with trained models, and clients."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from jupyter_client.manager import KernelManager

from .clients import Answers, asking

# Models as a notebook has them: thirty features, two labels.
TABLE = """
import os, time
from pathlib import Path
import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
X, y = load_breast_cancer(return_X_y=True, as_frame=True)

def trained(c):
    return make_pipeline(StandardScaler(), LogisticRegression(C=c)).fit(X, y)
"""
# 'Moody' does what a link's target tells it, so that a shadow that was right when it started can be made to hang, raise
# or die. A file would be packed with the model, which would read its copy for ever.
TRAINED = f"""{TABLE}
import jupyter_deploy

class Moody:
    def __init__(self, model, mood):
        self.model, self.mood = model, mood
    def predict(self, X):
        mood = os.readlink(self.mood)
        if mood == "hang":
            time.sleep(3600)
        if mood == "raise":
            raise ValueError("in a bad mood")
        if mood == "die":
            os._exit(1)
        return self.model.predict(X)
"""


class World:
    """A home, its kernel and its clients.

    ``standby``: processes may wait for the next deploy, which imports while something else may be measured.
    """

    def __init__(self, folder: Path, *, standby: bool = False) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("NBDEPLOY_")} | {
            "NBDEPLOY_HOME": str(folder / "nbdeploy"),
            "BENTOML_HOME": str(folder / "bentoml"),
            "BENTOML_DO_NOT_TRACK": "true",
            "NBDEPLOY_PORT": str(port),
            "NBDEPLOY_STANDBY": str(standby).lower(),
            "IPYTHONDIR": str(folder / "ipython"),
        }
        self.body = folder / "body.json"
        self._manager = KernelManager(kernel_name="python3")
        self._manager.kernel_cmd = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        self._manager.start_kernel(env=self.environment, cwd=str(folder))
        self._client = self._manager.client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=60)
        self.run(TRAINED)
        row = self.run("", "X.iloc[0].to_dict()")
        self.body.write_text(json.dumps({"instances": [row]}))

    def run(self, code: str, value: str = "None") -> Any:
        """Run code in the kernel; ``value``, a literal expression, comes back."""
        reply = self._client.execute_interactive(
            code, user_expressions={"value": value}, output_hook=lambda _: None, timeout=600
        )["content"]
        if reply["status"] != "ok":
            raise RuntimeError("\n".join(reply["traceback"]))
        found = reply["user_expressions"]["value"]
        if found["status"] != "ok":
            raise RuntimeError("\n".join(found["traceback"]))
        return ast.literal_eval(found["data"]["text/plain"])

    def deploy(self, model: str, name: str, *options: str) -> tuple[str, str]:
        """Deploy an expression of the kernel; tag and URL."""
        given = ", ".join([f"name={name!r}", "example=X[:3]", *options])
        self.run(f"found = jupyter_deploy.deploy({model}, {given})")
        tag, url = self.run("", "(found.release, found.url)")
        return tag, url

    def clients(self, url: str, *options: str) -> contextlib.AbstractContextManager[Answers]:
        """Clients that ask until the block ends; their answers are there afterwards."""
        return asking(f"{url}/predict", self.body, *options)

    def asked(self, url: str, *options: str) -> Answers:
        """Clients that ask until their time is over."""
        with asking(f"{url}/predict", self.body, *options, patient=True) as answers:
            pass
        return answers

    def capacity(self, url: str) -> float:
        """Requests a second that a lone client gets answered: what this machine can do where no two are asked together.

        What many clients get depends on how many wait: their requests share the model's calls.
        """
        self.asked(url, "--clients", "16", "--seconds", "1")  # warm
        return len(self.asked(url, "--clients", "1", "--seconds", "4").rows) / 4

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self._client.stop_channels()
            self._manager.shutdown_kernel(now=True)
        subprocess.run(
            [sys.executable, "-m", "jupyter_deploy", "down"], env=self.environment, cwd=self.folder, check=False,
            capture_output=True,
        )  # fmt: skip


@contextlib.contextmanager
def world(*, standby: bool = False) -> Iterator[World]:
    """A world that leaves nothing behind."""
    with TemporaryDirectory(prefix="nbdeploy-bench-") as folder:
        made = World(Path(folder), standby=standby)
        try:
            yield made
        finally:
            made.close()
