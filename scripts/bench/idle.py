"""Memory of idle endpoints, the first answer of one without processes, and the start of fifty endpoints."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx

from .figures import Figure, median
from .world import World, world

ENDPOINTS, MANY = 20, 50
ROUNDS = 5
_IDLE_SECONDS = 5
_JSON = {"content-type": "application/json"}

_NET = """
import torch
torch.manual_seed(0)
net = torch.nn.Sequential(torch.nn.Linear(30, 16), torch.nn.ReLU(), torch.nn.Linear(16, 2)).eval()
rows = torch.zeros(3, 30)
"""


def idle() -> Iterator[Figure]:
    """Endpoints that run and are not called, then endpoints that have stopped."""
    with world() as here:
        for number in range(ENDPOINTS):
            here.deploy(f"trained({number + 1}.0)", f"model-{number}")
        yield from _memory(here, "sklearn", most=150)
    with world() as here:
        here.run(_NET)
        _deploy_net(here, "net")
        yield from _zygote(_processes(here), "torch", most=350)
        tag, url = here.deploy("trained(1.0)", "table", f"resources={{'idle_after': {_IDLE_SECONDS}}}")
        body = here.body.read_bytes()
        yield _first_answer(here, "table", url, body, "sklearn", most=1.0)
        _deploy_net(here, "still", f", resources={{'idle_after': {_IDLE_SECONDS}}}")
        rows = json.dumps({"instances": [[0.0] * 30]}).encode()
        yield _first_answer(here, "still", f"{url.rpartition('/')[0]}/still", rows, "torch", most=1.5)
    with world() as here:
        tag, _ = here.deploy("trained(1.0)", "model-0")
        for number in range(1, MANY):
            _nbdeploy(here, "deploy", tag, "--name", f"model-{number}")
        _nbdeploy(here, "down")
        began = time.perf_counter()
        _nbdeploy(here, "reconcile")
        note = "of one small scikit-learn model each; everything was stopped before"
        yield Figure("idle endpoints", f"reconcile of {MANY}", time.perf_counter() - began, "s", most=20, note=note)


def _deploy_net(here: World, name: str, options: str = "") -> None:
    here.run(f"jupyter_deploy.deploy(net, name={name!r}, example=rows{options})")


def _memory(here: World, kind: str, *, most: float) -> Iterator[Figure]:
    sizes = _processes(here)
    yield from _zygote(sizes, kind, most=most)
    own = [size for name, size in sizes.items() if name.startswith("release-")]
    waiting = [size for name, size in sizes.items() if name.startswith("launch ")]
    note = (
        f"median of {len(own)}; its part of shared pages, and {median(waiting):.1f} MB of the process that waits for it"
    )
    yield Figure("idle endpoints", f"PSS of a {kind} endpoint", median(own) + median(waiting), "MB", most=25, note=note)


def _zygote(sizes: Mapping[str, float], kind: str, *, most: float) -> Iterator[Figure]:
    size = max(size for name, size in sizes.items() if name.startswith("zygote-"))
    yield Figure("idle endpoints", f"PSS of the zygote of {kind} models", size, "MB", most=most, note="shared by all")


def _processes(here: World) -> dict[str, float]:
    """The PSS in MB of the processes in the runtime directory, and of those that wait for a fork."""
    runtime = Path(json.loads((here.folder / "nbdeploy" / "gateway.json").read_text())["runtime"])
    sizes = {path.name: _pss(path.read_text().strip()) for path in (runtime / "pids").glob("*@0")}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            words = _command_line(entry)
            if "launch.py" in words and f"{runtime}/programs/release-" in words:
                sizes[f"launch {words.rpartition('/')[2]}"] = _pss(entry.name)
    return sizes


def _command_line(entry: Path) -> str:
    try:
        return (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def _pss(pid: str) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def _first_answer(here: World, name: str, url: str, body: bytes, kind: str, *, most: float) -> Figure:
    """The time to the answer of an endpoint that has stopped."""
    times = []
    for _ in range(ROUNDS):
        _until_idle(here, name)
        began = time.perf_counter()
        answer = httpx.post(f"{url}/predict", content=body, headers=_JSON, timeout=60, trust_env=False)
        answer.raise_for_status()
        times.append(time.perf_counter() - began)
    note = f"median of {ROUNDS}, through the gateway"
    return Figure("idle endpoints", f"first answer from zero, {kind}", median(times), "s", most=most, note=note)


def _until_idle(here: World, name: str) -> None:
    deadline = time.monotonic() + 120
    while "idle, starts on a request" not in _nbdeploy(here, "describe", name, "-o", "json"):
        if time.monotonic() > deadline:
            raise RuntimeError(f"{name} did not become idle")
        time.sleep(1)


def _nbdeploy(here: World, *arguments: str) -> str:
    command = [sys.executable, "-m", "jupyter_deploy", *arguments]
    return subprocess.run(
        command, env=here.environment, cwd=here.folder, check=True, capture_output=True, text=True
    ).stdout
