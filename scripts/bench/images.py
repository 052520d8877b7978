"""Images: the bytes and the time of a change, the first image compared with BentoML's, a container's start."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from scripts.lean_base import SUITES, machines_source, make, write_layout
from tests.conftest import free_port
from tests.images import Engine
from tests.registries import make_image, registry

from .figures import Figure, median
from .peers.containerized import SAVE, Containerized
from .peers.environments import kept
from .world import World, world

ROUNDS = 2
STARTS = 3
SUBJECT = "images"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
WEIGHTS = 100_000_000  # bytes
_PATIENCE = 120.0  # seconds
RIGHTS = ("--read-only", "--user", "65532", "--cap-drop", "ALL")

_LINE = """
def priced(X):
    return (X["mean radius"] * %s).to_numpy()
"""
_WEIGHTS = """
from sklearn.neighbors import KNeighborsRegressor
chance = np.random.default_rng(%s)
table = chance.random((%s // 8 // 31, 30))
near = KNeighborsRegressor(algorithm="brute").fit(table, chance.random(len(table)))
"""
_PUBLISH = """
began = time.perf_counter()
published = jupyter_deploy.publish(%s, to=%r, base=%r, dry_run=%s)
taken = time.perf_counter() - began
"""


class _Desk:
    """A notebook, whose images go to a registry on this machine."""

    def __init__(self, here: World, base: str, host: str, storage: Path) -> None:
        self._here, self._base, self.host, self._storage = here, base, host, storage
        self.tag = ""

    def deploy(self, name: str, code: str, model: str, example: str) -> None:
        """As stable; ``tag`` is the release's then."""
        self._here.run(code)
        self._here.run(f"found = jupyter_deploy.deploy({model}, name={name!r}, example={example}, role='stable')")
        self.tag = str(self._here.run("", "found.release"))

    def publish(self, name: str, *, to: str = "", dry_run: bool = False) -> float:
        """Seconds, in the notebook."""
        self._here.run(_PUBLISH % (repr(name), to or f"{self.host}/bench/{name}", self._base, dry_run))
        return float(self._here.run("", "taken"))

    def run(self, code: str, value: str = "None") -> Any:
        return self._here.run(code, value)

    @property
    def environment(self) -> dict[str, str]:
        return self._here.environment

    @property
    def digest(self) -> str:
        """Of what was published last."""
        return str(self._here.run("", "published.publication.image.digest"))

    @property
    def store(self) -> Path:
        return Path(self._here.environment["NBDEPLOY_HOME"]) / "images"

    def held(self) -> int:
        """Bytes of all contents that the registry has."""
        return sum(file.stat().st_size for file in self._storage.rglob("data"))


def images() -> Iterator[Figure]:
    """The registry's files say what was really sent."""
    with world() as here, contextlib.ExitStack() as ending:
        base, debian = kept("base-small", partial(make, python=PYTHON)), kept("base-debian", _debian)
        target = ending.enter_context(registry(here.folder / "registry"))
        desk = _Desk(here, base, target.host, here.folder / "registry" / "storage")
        engine = Engine(here.folder / "engine")
        ending.callback(engine.clear)
        yield from _line(desk)  # whose first image fills the package cache
        yield from _weights(desk, here.folder / "blobs")
        fresh = ending.enter_context(registry(here.folder / "fresh"))
        yield from _first(desk, engine, debian, here.folder / "peer", fresh.host)
        yield from _starts(desk, engine)


def _debian(folder: Path) -> str:
    """BentoML's base: its build needs a shell, which the small one of scripts/lean_base.py has not."""
    suite, tar = SUITES[PYTHON], folder / "debian.tar"
    subprocess.run(
        ["mmdebstrap", "--quiet", "--variant=minbase", f"--include=python{PYTHON},ca-certificates,libgomp1", suite,
         tar, machines_source(suite)],
        check=True, capture_output=True, env=os.environ | {"SOURCE_DATE_EPOCH": "0"},
    )  # fmt: skip
    return write_layout(folder, [tar.read_bytes()])


def _first(desk: _Desk, engine: Engine, base: str, folder: Path, host: str) -> Iterator[Figure]:
    """Each by its own way from a model to an image in a registry that has no layer of it; package caches are warm."""
    ours, theirs = f"{host}/first/ours", f"{host}/first/theirs"
    desk.deploy("first", "", "trained(1.0)", "X[:3]")
    peer = Containerized(folder, engine, base, desk.environment)
    desk.run(SAVE % "trained(1.0)")
    peer.build()
    peer.containerize()  # fills the cache that its builds see
    shutil.rmtree(desk.store)
    made = desk.publish("first", dry_run=True)
    sent = desk.publish("first", to=ours)
    containerized = peer.containerize()
    pushed = peer.push(f"{theirs}:1")
    subject = "first image of a model of scikit-learn"
    note = f"{made + sent:.3g} s and {containerized + pushed:.3g} s; of these a push {sent:.2g} s and {pushed:.2g} s"
    yield Figure(
        subject,
        "in the registry: time / `bentoml containerize`, `podman push`",
        (made + sent) / (containerized + pushed),
        "×",
        most=0.7,
        note=note,
    )
    note = f"{made:.3g} s, compressed, hashed and with its bill of materials, and {containerized:.3g} s, nothing of it"
    yield Figure(subject, "made: time / `bentoml containerize`", made / containerized, "×", most=0.7, note=note)
    sizes = [size_of(f"{ours}:{desk.tag.partition(':')[2]}"), size_of(f"{theirs}:1")]
    note = "as sent; {:.0f} MB on the small base, {:.0f} MB on the smallest with a shell, and without compilers".format(
        *(size / 1e6 for size in sizes)
    )
    yield Figure(subject, "size / BentoML's", sizes[0] / sizes[1], "×", most=0.5, note=note)


def size_of(image: str) -> int:
    """Bytes of its layers, as they were sent."""
    asked = ["skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{image}"]
    manifest = json.loads(subprocess.run(asked, check=True, capture_output=True).stdout)
    return sum(layer["size"] for layer in manifest["layers"])


def _starts(desk: _Desk, engine: Engine) -> Iterator[Figure]:
    """Of one image, in turns: its own command, and BentoML's."""
    image = engine.pull(desk.store, desk.digest)
    row = desk.run("", "X.iloc[0].to_dict()")
    bentomls = ("--entrypoint", "bentoml", image, "serve", desk.tag, "--host", "127.0.0.1", "--port")
    times: dict[str, list[float]] = {"ours": [], "bentoml serve": []}
    for _ in range(STARTS + 1):
        for name, found in times.items():
            port = free_port()
            command = ("--env", f"PORT={port}", image) if name == "ours" else (*bentomls, port)
            began = time.perf_counter()
            with engine.container(*RIGHTS, *command) as container:
                _until_answered(f"http://127.0.0.1:{port}/predict", row, lambda one=container: engine.runs(one))
                found.append(time.perf_counter() - began)
    ours, theirs = (found[1:] for found in times.values())
    ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
    note = f"median of {STARTS} pairs; {median(ours):.3g} s, its example answered before, and {median(theirs):.3g} s"
    yield Figure(SUBJECT, "start to the first right answer / `bentoml serve` in it", median(ratios), "×", 1.2, note)


def _until_answered(url: str, row: dict[str, float], runs: Callable[[], bool]) -> None:
    latest = time.monotonic() + _PATIENCE
    with httpx.Client(trust_env=False, timeout=10) as client:
        while time.monotonic() < latest:
            with contextlib.suppress(httpx.TransportError):
                answer = client.post(url, json={"instances": [row]})
                if answer.status_code == httpx.codes.OK and answer.json() == {"predictions": [0]}:
                    return
            time.sleep(0.02)
            if time.monotonic() > latest - _PATIENCE / 2 and not runs():
                break
    raise RuntimeError(f"{url} does not answer")


def _line(desk: _Desk) -> Iterator[Figure]:
    desk.deploy("line", _LINE % 1, "priced", "X[:3]")
    desk.publish("line")
    seconds, sent = [], []
    for number in range(ROUNDS):
        desk.deploy("line", _LINE % (number + 2), "priced", "X[:3]")
        before = desk.held()
        seconds.append(desk.publish("line"))
        sent.append(desk.held() - before)
    note = f"median of {ROUNDS}; of the verb in a notebook, with manifest, bill of materials and tag"
    yield Figure(SUBJECT, "a changed line of code, published", median(seconds), "s", most=1, note=note)
    yield Figure(SUBJECT, "the same: what the registry had to keep", max(sent) / 1024, "KB", most=64)


def _weights(desk: _Desk, folder: Path) -> Iterator[Figure]:
    """In turns with a blob of as many bytes, which nobody has seen yet, copied by skopeo alone."""
    ours, theirs = [], []
    for number in range(ROUNDS + 1):
        desk.deploy("weights", _WEIGHTS % (number, WEIGHTS), "near", "table[:3]")
        ours.append(desk.publish("weights"))
        store = folder / str(number)
        make_image(store, weights=os.urandom(WEIGHTS))
        began = time.perf_counter()
        subprocess.run(
            ["skopeo", "copy", "--quiet", "--preserve-digests", "--dest-tls-verify=false", f"oci:{store}",
             f"docker://{desk.host}/bench/blob:{number}"],
            check=True, capture_output=True,
        )  # fmt: skip
        theirs.append(time.perf_counter() - began)
    ratios = [one / other for one, other in zip(ours[1:], theirs[1:], strict=True)]
    yield Figure(
        SUBJECT, "another model of 100 MB, published / `skopeo copy` of such a blob", median(ratios), "×", most=1.3,
        note=f"median of {ROUNDS} rounds in turns; {median(ours[1:]):.2g} s and {median(theirs[1:]):.2g} s",
    )  # fmt: skip
