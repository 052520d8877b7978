"""The stage of the local target's tests: fake bentos with tiny workers, and everything ended afterwards."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

from jupyter_deploy.artifacts.bento_format import FORMAT
from jupyter_deploy.domain.capture.artifacts import Source
from jupyter_deploy.domain.release.endpoint import Endpoint, Release
from jupyter_deploy.domain.release.resources import Resources
from jupyter_deploy.domain.release.traffic import Traffic
from jupyter_deploy.serving import environment
from jupyter_deploy.targets.local.releases import limits
from jupyter_deploy.targets.local.settings import LocalSettings
from jupyter_deploy.targets.local.supervisor.identities import Identities
from jupyter_deploy.targets.local.target import LocalTarget
from tests import forks
from tests.conftest import free_port

# Answers each instance with its version's number; writes its input to seen.jsonl next to the bento.
SERVICE = """
import asyncio, importlib, json, os, pathlib, sys, time
from types import SimpleNamespace
HERE = pathlib.Path(__file__).parent.parent
BEHAVIOUR = json.loads((HERE / "behaviour.json").read_text())
if BEHAVIOUR.get("crash"):
    print("loading the model")
    raise RuntimeError("the weights are broken 100 %")
MANIFEST = json.loads((HERE / "snapshot.json").read_text())
MANIFEST["signature"]["instance_schema"] = {}
importlib.import_module("serving.snapshot")._current = SimpleNamespace(
    manifest=MANIFEST, tag=f"{HERE.parent.name}:{HERE.name}"
)
(HERE / "environ.json").write_text(json.dumps({"env": dict(os.environ), "path": sys.path, "cwd": os.getcwd()}))

async def serve(scope, receive, send):
    if scope["type"] == "lifespan":
        for step in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{step}.complete"})
        return
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    headers = {k.decode(): v.decode() for k, v in scope["headers"]}
    behaviour = json.loads((HERE / "behaviour.json").read_text())
    role = headers.get("x-rollout-role", "")
    status, answer = 200, {}
    if scope["path"] == "/readyz":
        status = behaviour.get("ready", 200)
    elif scope["path"] == "/predict":
        with (HERE / "seen.jsonl").open("a") as file:
            file.write(json.dumps({"headers": headers, "body": body.decode(), "path": scope["path"]}) + chr(10))
        if role != "probe":
            if behaviour.get("die"):
                os._exit(3)
            status = behaviour.get("status", 200)
            await asyncio.sleep(behaviour.get("delay", 0))
        instances = json.loads(body)["instances"]
        answer = {"predictions": [behaviour["answer"]] * len(instances)}
    else:
        answer = {"path": scope["path"], "headers": headers, "role": role}
    data = json.dumps(answer).encode()
    await send({"type": "http.response.start", "status": status,
                "headers": [(b"content-type", b"application/json"), (b"x-model-version", HERE.name.encode())]})
    await send({"type": "http.response.body", "body": data})

def app():
    return serve
"""

# The real one, whose program prints the lines of changes.json.
ENVIRONMENT = (
    Path(environment.__file__).read_text().partition('if __name__ == "__main__":')[0]
    + """
if __name__ == "__main__":
    lines = json.loads((Path(__file__).parent.parent.parent / "changes.json").read_text())
    print(json.dumps(lines))
    sys.exit(bool(lines))
"""
)


def write_source(folder: Path, service: str) -> Path:
    """Write a bento's source: the service and links to the parts of the package serving; return the latter's folder."""
    serving = folder / "serving"
    serving.mkdir(parents=True, exist_ok=True)
    (folder / "service.py").write_text(service)
    for part in Path(environment.__file__).parent.iterdir():
        if part.name not in {"environment.py", "VERSION", "__pycache__"} and not (serving / part.name).exists():
            (serving / part.name).symlink_to(part)
    shutil.copy(environment.__file__, serving)  # a test may write another one
    return serving


class Stage:
    """A home, a runtime directory and a target."""

    def __init__(self, root: Path, **settings: Any) -> None:
        self.root = root
        self.home = root / "home with 'quotes' \"\" and 100% ;#"
        self.runtime = root / "rt"
        self.settings = LocalSettings(
            **{
                "home": self.home,
                "bentoml_home": root / "bentoml",
                "runtime": self.runtime,
                "port": free_port(),
                "start_timeout": 60.0,
                **settings,
            }
        )
        self.target = LocalTarget(self.settings)

    def release(
        self,
        version: str,
        answer: Any = None,
        *,
        endpoint: str = "tumour",
        resources: Mapping[str, Any] | None = None,
        **behaviour: Any,
    ) -> Release:
        folder = self.root / endpoint / version
        serving = write_source(folder / "src", SERVICE)
        (serving / "environment.py").write_text(ENVIRONMENT)
        (serving / "VERSION").write_text(FORMAT)
        (folder / "changes.json").write_text("[]")
        answer = version if answer is None else answer
        self.behave(version, answer=answer, endpoint=endpoint, **behaviour)
        manifest = {
            "instances": [{"x": 1.0}, {"x": 2.0}],
            "predictions": [answer, answer],
            "signature": {"answer_dtype": "float64" if isinstance(answer, float) else "str"},
            "stochastic": False,
            "tolerance": {"float32_rtol": 1e-4, "float32_atol": 1e-6, "float64_rtol": 1e-9, "float64_atol": 1e-9},
        }
        (folder / "snapshot.json").write_text(json.dumps(manifest))
        if forks.are_used():  # as a captured release, it has a zygote
            (folder / "imports.json").write_text("[]")
        return Release(
            endpoint=endpoint,
            tag=f"{endpoint}:{version}",
            digest=f"sha256:{version}",
            path=str(folder),
            snapshot_path=str(folder),
            interpreter=sys.executable,
            source=Source(notebook="n.ipynb", variable="model"),
            resources=Resources().overridden(resources or {}),
            created_at=datetime(2026, 1, 1, tzinfo=UTC),
        )

    def behave(self, version: str, *, endpoint: str = "tumour", **behaviour: Any) -> None:
        path = self.root / endpoint / version / "behaviour.json"
        known = json.loads(path.read_text()) if path.exists() else {}
        temporary = path.with_suffix(".new")
        temporary.write_text(json.dumps(known | behaviour))
        temporary.replace(path)

    def seen(self, version: str, role: str | None = None, *, endpoint: str = "tumour") -> list[dict[str, Any]]:
        lines = _lines(self.root / endpoint / version / "seen.jsonl")
        return [s for s in lines if role is None or s["headers"].get("x-rollout-role") == role]

    def edge(self) -> list[dict[str, Any]]:
        return _lines(self.settings.edge_ledger)

    def shadow(self) -> list[dict[str, Any]]:
        return _lines(self.settings.shadow_ledger)

    def processes(self) -> list[int]:
        """Every process with this stage's path in its command line."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                with suppress(OSError):
                    if str(self.root) in (entry / "cmdline").read_bytes().decode(errors="replace"):
                        found.append(int(entry.name))
        return found

    def settle(self) -> None:
        """Wait for the processes that a start does not wait for, so that each can be found and ended."""
        eventually((self.runtime / "keeper.ready").exists)
        eventually(lambda: {"keeper@0", "exporter@0"} <= Identities(self.home).running().keys())

    def close(self) -> None:
        """End all processes, also those that the tested target has lost."""
        with suppress(OSError, ValueError):  # or it would start the others again
            os.kill(int((self.runtime / "supervisord.pid").read_text()), signal.SIGKILL)
        deadline = time.monotonic() + 60
        while (found := self.processes()) and time.monotonic() < deadline:
            for pid in found:
                with suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)
        for state in (self.runtime / "programs").glob("*.limits"):
            limits.undo(state)


@contextmanager
def staged(**settings: Any) -> Iterator[Stage]:
    root = Path(tempfile.mkdtemp(prefix="nbd-", dir="/tmp"))
    stage = Stage(root, **settings)
    try:
        yield stage
    finally:
        stage.close()
        shutil.rmtree(root, ignore_errors=True)


def endpoint_of(*releases: Release, revision: int = 1, running: bool = True, **traffic: Any) -> Endpoint:
    """The first release is stable, unless ``stable`` names another."""
    return Endpoint(
        name=releases[0].endpoint,
        revision=revision,
        running=running,
        releases=releases,
        traffic=Traffic(**{"stable": releases[0].tag, **traffic}),
    )


def eventually(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    """What the condition returns when it becomes true; a busy machine is no fault."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"never true: {textwrap.shorten(repr(condition), 200)}"
        time.sleep(0.02)


def pid_of(stage: Stage, program: str, number: int = 0) -> int:
    """The process of a program, once one has its lock: until then there is no number, a former one's, or 0."""
    path = stage.runtime / "pids" / f"{program}@{number}"

    def written() -> int:
        try:
            return int(path.read_text())
        except (OSError, ValueError):
            return 0

    return int(eventually(written))


def _lines(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    *whole, _ = path.read_text().split("\n")  # the last line may still be written
    return [json.loads(line) for line in whole if line.endswith("}")]


@pytest.fixture
def stage() -> Iterator[Stage]:
    with staged() as made:
        yield made


class Load:
    """Clients that send requests without pause during a test; ``each``: at most so many a client."""

    def __init__(self, url: str, clients: int = 4, *, each: float = math.inf, **request: Any) -> None:
        self._each = each
        self._url, self._request = f"{url}/predict", {"json": {"instances": [1]}} | request
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(clients)]
        self.answers: list[Any] = []
        self.failures: list[str] = []

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(120)

    def _ask(self) -> None:
        sent = 0
        with httpx.Client(timeout=120, trust_env=False) as client:
            while sent < self._each and not self._over.is_set():
                sent += 1
                try:
                    answer = client.post(self._url, **self._request)
                except httpx.HTTPError as error:
                    self.failures.append(repr(error))
                    continue
                if answer.status_code == 200:
                    self.answers.append(answer.json()["predictions"][0])
                else:
                    self.failures.append(f"{answer.status_code} {answer.text}")


def ask(url: str, instances: Any = (1,), **headers: str) -> httpx.Response:
    body = {"instances": list(instances)}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.post(f"{url}/predict", json=body, headers=named, timeout=120, trust_env=False)
