"""What a campaign of kills plays in: a home of its own, clients that keep account of every request, and what runs."""

from __future__ import annotations

import collections
import contextlib
import itertools
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx
import psutil

import jupyter_deploy

from .accounts import Asked

ENDPOINT = "churn"
ROW = {"age": 30, "weight": 60.5}

TRAIN = """
import numpy as np, pandas as pd
from sklearn.linear_model import LogisticRegression
rng = np.random.default_rng(0)
X = pd.DataFrame({"age": rng.integers(20, 80, 200), "weight": rng.normal(70, 10, 200).round(1)})
y = np.where(X["age"] + X["weight"] > 120, "yes", "no")
"""

_CAPTURE = (
    TRAIN
    + """
from pathlib import Path
from jupyter_deploy.domain.capture.artifacts import Source
from jupyter_deploy.domain.capture.ports import Live
from jupyter_deploy.domain.requests import DeployRequest
from jupyter_deploy.verbs.build import build
from jupyter_deploy.verbs.capture import capture
from jupyter_deploy.wiring import Wiring
ports = Wiring().ports
for c in (1.0, 0.01, 0.001):
    clf = LogisticRegression(C=c).fit(X, y)
    source = Source(notebook="/home/ada/train.ipynb", variable="clf")
    snapshot = capture(Live(clf, X[:3], source, project=Path.cwd()), "churn", DeployRequest(), ports, lambda *_: None)
    build(snapshot, ports)
    print(snapshot.tag)
"""
)

# A killed process takes a while to die; what reaches its sockets meanwhile is lost with it.
DYING_SECONDS = 0.5


@dataclass
class World:
    """A home, the command line in it, and what runs there."""

    folder: Path
    workers: int
    tags: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make the folders and choose a port."""
        self.scratch = self.folder / "tmp"
        self.scratch.mkdir(parents=True)
        # Of a name that nothing else has: what speaks of it is killed.
        self.runtime = Path(tempfile.mkdtemp(prefix="nbdeploy-chaos-", dir="/tmp"))
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("NBDEPLOY_", "JPY_"))},
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",  # kernels are found by it
            "NBDEPLOY_HOME": str(self.folder / "nbdeploy"),
            "NBDEPLOY_PORT": str(_free_port()),
            "NBDEPLOY_RESOURCES__WORKERS": str(self.workers),
            "NBDEPLOY_RUNTIME": str(self.runtime),
            "NBDEPLOY_KEEP_REVISIONS": "1",
            "BENTOML_HOME": str(self.folder / "bentoml"),
            "BENTOML_DO_NOT_TRACK": "true",
            "IPYTHONDIR": str(self.folder / "ipython"),
            "TMPDIR": str(self.scratch),
        }
        os.environ.update({k: v for k, v in self.environment.items() if k.startswith(("NBDEPLOY_", "BENTOML_"))})

    def capture(self, bentoml_home: str | None, tags: list[str]) -> None:
        """Three models to deploy: given ones, or captured now."""
        if bentoml_home:
            self.environment["BENTOML_HOME"], self.tags = bentoml_home, tags
            return
        ended = subprocess.run(
            [sys.executable, "-c", _CAPTURE], env=self.environment, cwd=self.folder, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        if ended.returncode:
            raise SystemExit(ended.stderr)
        self.tags = ended.stdout.split()

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """``nbdeploy …`` in the background, its output in ``verb.log``."""
        with (self.folder / "verb.log").open("a") as log:
            log.write(f"\n$ nbdeploy {' '.join(arguments)}\n")
            log.flush()
            return subprocess.Popen(
                [sys.executable, "-m", "jupyter_deploy", *arguments],
                env=self.environment, cwd=self.folder, stdout=log, stderr=log, text=True,
            )  # fmt: skip

    def run(self, *arguments: str) -> int:
        """``nbdeploy …``; its exit code."""
        return self.start(*arguments).wait(180)

    def describe(self) -> dict[str, Any]:
        """The desired and observed state of the endpoint; read in this process, which is faster."""
        return jupyter_deploy.describe(ENDPOINT).model_dump(mode="json")  # type: ignore[no-any-return]

    def pids(self, pattern: str) -> list[int]:
        """Living processes whose files in ``pids/`` match, and a pool's workers; ``supervisor`` is the supervisor's."""
        paths = [self.runtime / "supervisord.pid"] if pattern == "supervisor" else self.runtime.glob(f"pids/{pattern}")
        found = []
        for path in paths:
            try:
                pid = int(path.read_text())
            except (OSError, ValueError):
                continue
            if psutil.pid_exists(pid) and str(self.runtime) in " ".join(_command(pid)):
                found.append(pid)
                with contextlib.suppress(psutil.NoSuchProcess):
                    found += [child.pid for child in psutil.Process(pid).children() if _in_pool(child.pid)]
        return found

    def processes(self) -> list[int]:
        """Everything that speaks of the runtime directory."""
        word = str(self.runtime)
        return [p.pid for p in psutil.process_iter() if any(word in part for part in _command(p.pid))]

    def in_force(self) -> tuple[dict[str, int], set[str]]:
        """Weights by release and shadows, as Envoy has them."""
        transport = httpx.HTTPTransport(uds=str(self.runtime / "admin.sock"))
        try:
            with httpx.Client(transport=transport, base_url="http://admin") as admin:
                dump = admin.get("/config_dump", params={"resource": "dynamic_route_configs"}).json()
        except httpx.HTTPError:
            return {}, set()
        for config in dump["configs"]:
            for host in config["route_config"]["virtual_hosts"]:
                for route in host.get("routes", []):
                    if route.get("name") == f"{ENDPOINT}/predict":
                        action = route["route"]
                        weights = {c["name"]: c["weight"] for c in action["weighted_clusters"]["clusters"]}
                        mirrors = action.get("request_mirror_policies", [])
                        return weights, {m["cluster"].removeprefix("shadow-hop/") for m in mirrors}
        return {}, set()

    def faults(self) -> list[str]:
        """What is not as the store wants it."""
        found = []
        described = self.describe()
        traffic = described["traffic"]
        canary = round((traffic["canary_percent"] or 0) * 100)
        weights = {traffic["stable"]: 10_000 - canary} | ({traffic["canary"]: canary} if traffic["canary"] else {})
        force = self.in_force()
        if force != ({tag: w for tag, w in weights.items() if w}, set(traffic["shadows"])):
            found.append(f"in force is {force}, wanted {traffic}")
        found += [f"{r['tag']} ({r['role']}): {r['detail']}" for r in described["releases"] if not r["healthy"]]
        sockets = collections.Counter(
            command[command.index("--uds") + 1] for pid in self.processes() if "--uds" in (command := _command(pid))
        )
        found += [f"{number} processes on {path}" for path, number in sockets.items() if number > 1]
        forked = [pid for pid in self.processes() if _in_pool(pid)]
        wanted = self.workers * len(described["releases"])
        if len(sockets) + len(forked) != wanted:
            found.append(f"{len(sockets) + len(forked)} workers run, wanted {wanted}")
        with sqlite3.connect(self.folder / "nbdeploy" / "state.sqlite") as store:
            (intents,) = store.execute("SELECT count(*) FROM intents").fetchone()
        if intents:
            found.append(f"{intents} intents are left")
        found += [f"{path} is left" for path in self.scratch.glob("nbdeploy-*")]
        return found

    def close(self) -> None:
        """Stop everything; nothing may stay."""
        self.run("down")
        if left := self.processes():
            raise RuntimeError(f"after 'down' there still run {[_command(pid) for pid in left]}")
        for folder in (self.folder, self.runtime):
            shutil.rmtree(folder, ignore_errors=True)


class Clients:
    """Clients that ask without pause and note what became of every request."""

    def __init__(self, url: str, count: int, pause: float) -> None:
        self.asked: list[Asked] = []
        self._url, self._pause = f"{url}/predict", pause
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(n,), daemon=True) for n in range(count)]

    def __enter__(self) -> Self:
        """Begin."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End, when the last answers are there."""
        self._over.set()
        for thread in self._threads:
            thread.join(60)

    def answered_from_now(self) -> Callable[[], bool]:
        """A condition: a request that began after this call was answered."""
        moment = time.time()
        return lambda: any(a.status == 200 and a.begun > moment for a in reversed(self.asked[-200:]))

    def _ask(self, number: int) -> None:
        with httpx.Client(trust_env=False, timeout=60) as client:
            count = 0
            while not self._over.is_set():
                count += 1
                asked = Asked(f"client-{number}-{count}", time.time())
                try:
                    answer = client.post(
                        self._url, json={"instances": [ROW]}, headers={"x-request-id": asked.request_id}
                    )
                    asked.status, asked.release = answer.status_code, answer.headers.get("x-model-version", "")
                    if asked.status != 200:
                        asked.error = answer.text[:300]
                except httpx.HTTPError as error:
                    asked.error = repr(error)
                asked.ended = time.time()
                self.asked.append(asked)
                time.sleep(self._pause if asked.status == 200 else 0.05)


def longest_silence(asked: list[Asked], since: float, until: float) -> float:
    """The longest time between two answers (200), within a while."""
    moments = sorted(a.ended for a in asked if a.status == 200 and since <= a.ended <= until)
    times = [since, *moments, until] if moments else [since, until]
    return max(b - a for a, b in itertools.pairwise(times))


def _free_port() -> int:
    """Below those of outgoing connections: one of them could take it while the gateway is away."""
    for port in range(20_000 + os.getpid() % 10_000, 32_000):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no port is free")


def _in_pool(pid: int) -> bool:
    """Whether it is a worker that a pool's parent has forked."""
    try:
        parent = psutil.Process(pid).ppid()
    except psutil.Error:
        return False
    return all(any(part.endswith("pool.py") for part in _command(one)) for one in (pid, parent))


def _command(pid: int) -> list[str]:
    try:
        process = psutil.Process(pid)
        return [] if process.status() == psutil.STATUS_ZOMBIE else process.cmdline()
    except psutil.Error:
        return []
