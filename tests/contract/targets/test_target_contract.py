"""The local target and a target in memory under one contract, and the second target by a class and an entry point."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from memory_target import Machine, MemoryTarget
from target_contract import Site, TargetContract

from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.release.endpoint import Release
from jupyter_deploy.domain.release.ports import Target
from jupyter_deploy.settings import load_settings
from jupyter_deploy.targets.local.target import LocalTarget
from jupyter_deploy.wiring import Wiring
from tests.contract.targets.test_local_target_support import Stage, ask, staged
from tests.releases import release


class LocalSite:
    """The stage of the local target: real supervisord and Envoy, tiny workers."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def target(self) -> Target:
        return LocalTarget(self._stage.settings)

    def release(self, version: str, *, endpoint: str = "tumour") -> Release:
        return self._stage.release(version, endpoint=endpoint)

    def answer_with(self, release: Release, answer: str) -> None:
        self._stage.behave(release.version, endpoint=release.endpoint, answer=answer)

    def predict(self, url: str) -> str | None:
        try:
            response = ask(url)
        except httpx.ConnectError:
            return None
        return None if response.status_code == 404 else str(response.json()["predictions"][0])


class MemorySite:
    """A home of the target in memory."""

    def __init__(self, home: Path) -> None:
        self._settings = MemoryTarget.settings_class(home=home, bentoml_home=home)
        self._machine = MemoryTarget.machines.setdefault(str(home), Machine())

    def target(self) -> Target:
        return MemoryTarget(self._settings)

    def release(self, version: str, *, endpoint: str = "tumour") -> Release:
        return release(version, name=endpoint)

    def answer_with(self, release: Release, answer: str) -> None:
        self._machine.answers[release.tag] = answer

    def predict(self, url: str) -> str | None:
        routed = self._machine.routes.get(url.removeprefix("memory:"))
        stable = self._machine.running.get(routed.traffic.stable) if routed and routed.running else None
        return self._machine.answer(stable) if stable else None


class TestLocalTarget(TargetContract):
    @pytest.fixture
    def site(self) -> Iterator[Site]:
        with staged() as stage:
            yield LocalSite(stage)


class TestMemoryTarget(TargetContract):
    @pytest.fixture
    def site(self, tmp_path: Path) -> Site:
        return MemorySite(tmp_path)


@pytest.fixture
def second(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An installed second target; returns the working directory, which is the home too."""
    distribution = tmp_path / "site" / "memory_target-1.0.dist-info"
    distribution.mkdir(parents=True)
    point = f"memory = {MemoryTarget.__module__}:MemoryTarget"
    (distribution / "entry_points.txt").write_text(f"[nbdeploy.targets]\n{point}\n")
    monkeypatch.syspath_prepend(str(distribution.parent))
    monkeypatch.setenv("NBDEPLOY_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def cpus(ports) -> int:
    return ports.targets["memory"]._settings.memory.cpus


def test_a_second_target_is_a_class_and_an_entry_point(second: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ports = Wiring().ports
    assert set(ports.targets) == {"kubernetes", "local", "memory"}
    assert cpus(ports) == 4
    (second / "nbdeploy.yaml").write_text("keep_revisions: 1\nport: 9001\nmemory: {cpus: 8}\n")
    ports = Wiring().ports
    assert (ports.keep_revisions, cpus(ports)) == (1, 8)
    assert ports.targets["local"]._settings.port == 9001
    monkeypatch.setenv("NBDEPLOY_MEMORY__CPUS", "2")
    assert cpus(Wiring().ports) == 2
    assert Wiring().ports._variables()["NBDEPLOY_MEMORY"] == '{"cpus": 2}'


def test_a_wrong_setting_of_a_target_is_named_before_any_target_is_made(
    second: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (second / "nbdeploy.yaml").write_text("memory: {cpus: many}\n")
    with pytest.raises(InvalidInput, match=r"memory\.cpus"):
        load_settings()
    (second / "nbdeploy.yaml").write_text("nonsense: 1\n")
    with pytest.raises(InvalidInput, match="nonsense"):
        load_settings()
    (second / "nbdeploy.yaml").unlink()
    monkeypatch.setenv("NBDEPLOY_PORT", "many")
    with pytest.raises(InvalidInput, match="port"):
        load_settings()
