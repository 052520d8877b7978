"""Translated models: requests a second against the originals and other servers of the same graph; their image."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import httpx
import psutil

from scripts.lean_base import make
from tests.conftest import free_port
from tests.images import Engine
from tests.registries import registry

from .figures import Figure, median
from .images import PYTHON, RIGHTS, size_of
from .peers.bare import BARE
from .peers.bentoml import BENTOML
from .peers.environments import kept
from .peers.mlserver import MLSERVER
from .peers.ours import direct_of, supervisor_of
from .peers.peer import Peer
from .servers import Found, Server, in_turns
from .world import World, world

CLIENTS = 16
STARTS = 5
SUBJECT = f"serving a translation, {CLIENTS} clients"
IMAGE = "the image of a translation"

_MODELS = """
from sklearn.ensemble import RandomForestClassifier
rows = X.to_numpy()
models = {
    "pipeline": make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, y),
    "forest": RandomForestClassifier(100, random_state=0).fit(rows, y),
}
"""
_DEPLOY = "found = jupyter_deploy.deploy(models[%r], name=%r, example=rows[:5], method='predict_proba', engine=%r)"

# What the other servers do: the graph of the release, by ONNX Runtime with one thread.
_ASKED = """\
import numpy as np
import onnxruntime

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession({graph!r}, options, providers=["CPUExecutionProvider"])


def predict(rows):
    return session.run(["probabilities"], {{"X": np.asarray(rows, np.float64)}})[0].tolist()
"""
_RUNTIME = """\
import numpy as np
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse
from model import session


class Mlp(MLModel):
    async def load(self):
        return True

    async def predict(self, payload):
        rows = self.decode(payload.inputs[0], default_codec=NumpyCodec)
        (found,) = session.run(["probabilities"], {"X": np.asarray(rows, np.float64)})
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output("predictions", found)])
"""


def translations() -> Iterator[Figure]:
    """Throughput, then the image."""
    with world() as here, contextlib.ExitStack() as running:
        here.run(_MODELS)
        servers = {}
        home = Path(here.environment["NBDEPLOY_HOME"])
        for model in ("pipeline", "forest"):
            for engine in ("native", "onnx"):
                name = f"{model}-{engine}"
                here.run(_DEPLOY % (model, name, engine))
                url = str(here.run("", "found.url"))
                servers[name] = Server(f"{url}/predict", home, supervisor=supervisor_of(here, name))
        yield from _against_originals(servers)
        direct = running.enter_context(direct_of(here, "pipeline-onnx"))
        yield from _against_peers(here, direct, running)
        yield from _image(here, running)


def _against_originals(servers: dict[str, Server], rounds: int = 3) -> Iterator[Figure]:
    """Through the gateway, one row and a hundred rows."""
    one = in_turns(servers, [[0.1] * 30], rounds=rounds, clients=CLIENTS)
    many = in_turns(servers, [[number / 100] * 30 for number in range(100)], rounds=rounds, clients=CLIENTS)
    for found, model, rows, least in (
        (one, "pipeline", "one row", 1.8),
        (one, "forest", "one row", 10.0),
        (many, "pipeline", "100 rows", 3.0),
        (many, "forest", "100 rows", 3.0),
    ):
        native, translated = found[f"{model}-native"], found[f"{model}-onnx"]
        note = f"{translated.rate:,.0f} and {native.rate:,.0f} requests a second, through the gateway"
        yield Figure(
            SUBJECT, f"{_WORDS[model]}, {rows}: translated / original", translated.times(native), "×", None, note, least
        )


_WORDS = {"pipeline": "a scaled regression", "forest": "a forest of 100 trees"}


def _against_peers(here: World, direct: Server, running: contextlib.ExitStack, rounds: int = 3) -> Iterator[Figure]:
    """One row, without the gateway: other servers with the same graph."""
    folder = here.folder / "exported"
    here.run(f"jupyter_deploy.export('pipeline-onnx', to={str(folder)!r})")
    asked = _ASKED.format(graph=str(folder / "model.onnx"))
    peers = [_with_graph(peer, asked) for peer in (BARE, BENTOML[0], MLSERVER[0])]
    servers = {"ours": direct}
    for number, peer in enumerate(peers):
        place = here.folder / "peers" / f"{number:02}"
        servers[peer.name] = Server(running.enter_context(peer.served(place)), place, peer.body)
    found: dict[str, Found] = in_turns(servers, [[0.1] * 30], rounds=rounds, clients=CLIENTS)
    for name, one in found.items():
        yield Figure(SUBJECT, f"a scaled regression: {name}", one.rate, "a second", note=one.note)
    ratio = found["ours"].times(found[peers[0].name])
    yield Figure(SUBJECT, f"ours / {peers[0].name}", ratio, "×", least=0.75)


def _with_graph(peer: Peer, asked: str) -> Peer:
    """A peer that asks ONNX Runtime, in an environment of its own."""
    name, requirements = peer.environment
    own = {"model.py": asked, **({"runtime.py": _RUNTIME} if "runtime.py" in peer.files else {})}
    return replace(
        peer,
        name=f"{peer.name} with ONNX Runtime",
        environment=(f"{name}-onnx", (*requirements, "onnxruntime")),
        files={**peer.files, **own},
    )


def _image(here: World, running: contextlib.ExitStack) -> Iterator[Figure]:
    """Its size, its start, its memory."""
    base = kept("base-small", partial(make, python=PYTHON))
    target = running.enter_context(registry(here.folder / "registry"))
    sizes = {}
    for name in ("pipeline-native", "pipeline-onnx"):
        to = f"{target.host}/bench/{name}"
        here.run(f"published = jupyter_deploy.publish({name!r}, to={to!r}, base={base!r})")
        digest, tag = here.run("", "(published.publication.image.digest, published.release)")
        sizes[name] = size_of(f"{to}:{tag.partition(':')[2]}") / 1e6
    below = here.run("", "sum(one.size for one in published.publication.image.layers if one.kind == 'base')") / 1e6
    ours, original = sizes["pipeline-onnx"], sizes["pipeline-native"]
    yield Figure(IMAGE, "compressed size", ours, "MB", most=75, note=f"of which {below:.1f} MB are the small base")
    yield Figure(IMAGE, "compressed size above the base", ours - below, "MB")
    yield Figure(IMAGE, "compressed size / the original's image", ours / original, "×", note=f"{original:.0f} MB")
    engine = Engine(here.folder / "engine")
    running.callback(engine.clear)
    image = engine.pull(Path(here.environment["NBDEPLOY_HOME"]) / "images", digest)
    expected = here.run("", "models['pipeline'].predict_proba(rows[:1]).tolist()")
    (row,) = here.run("", "rows[:1].tolist()")
    seconds, used, memory = [], [], []
    for _ in range(STARTS + 1):
        port = free_port()
        began = time.perf_counter()
        with engine.container(*RIGHTS, "--env", f"PORT={port}", image) as container:
            _until_right(f"http://127.0.0.1:{port}/predict", row, expected)
            seconds.append(time.perf_counter() - began)
            process = psutil.Process(int(engine.run("container", "inspect", "--format", "{{.State.Pid}}", container)))
            used.append(sum(process.cpu_times()[:2]))
            time.sleep(1)
            memory.append(_pss(process))
    note = f"median of {STARTS}, with podman's own time; {median(used[1:]):.2f} s of the processor in the container"
    yield Figure(IMAGE, "start to the first right answer", median(seconds[1:]), "s", most=0.7, note=note)
    note = "after one request; the only container of its image, so it shares no page"
    yield Figure(IMAGE, "PSS idle", median(memory[1:]), "MB", most=60, note=note)


def _until_right(url: str, row: list[float], expected: list[list[float]]) -> None:
    deadline = time.monotonic() + 120
    with httpx.Client(trust_env=False, timeout=10) as client:
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.TransportError):
                answer = client.post(url, json={"instances": [row]})
                if answer.status_code == httpx.codes.OK:
                    (found,) = answer.json()["predictions"]
                    if all(abs(one - other) < 1e-9 for one, other in zip(found, expected[0], strict=True)):
                        return
            time.sleep(0.01)
    raise RuntimeError(f"{url} does not answer")


def _pss(root: psutil.Process) -> float:
    """Of a process and its children, in MB."""
    total = 0
    for process in (root, *root.children(recursive=True)):
        lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
        total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024
