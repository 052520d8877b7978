"""Isolated environments: built once, shared, rebuilt if incomplete; with the real uv and local wheels."""

import os
import platform
import signal
import subprocess
import sys
import sysconfig
import threading
import zipfile
from pathlib import Path

import pytest

from jupyter_deploy.artifacts.isolated import VirtualEnvironments
from jupyter_deploy.domain.capture.artifacts import Environment
from jupyter_deploy.domain.errors import EnvironmentNotBuilt
from jupyter_deploy.environments.installer import pips_settings, uvs_settings, without_credentials
from tests.e2e.conftest import until
from tests.e2e.processes import waits_for_a_lock


def write_wheel(folder, version, name="tiny_flower"):
    """A wheel with one module that holds its version."""
    folder.mkdir(exist_ok=True)
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}.py", f"VERSION = {version!r}\n")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")


@pytest.fixture
def wheels(tmp_path, monkeypatch):
    """A folder of wheels in pip's settings, and no index."""
    folder = tmp_path / "wheels"
    write_wheel(folder, "1.0")
    write_wheel(folder, "2.0+cpu")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    return folder


@pytest.fixture
def environments(tmp_path, monkeypatch):
    monkeypatch.setattr("jupyter_deploy.environments.environment.NEEDED", ())  # tiny_flower's lock serves nothing
    return VirtualEnvironments(tmp_path / "environments")


def captured(version="1.0", name="tiny_flower"):
    return Environment(
        interpreter=sys.executable,
        python=platform.python_version(),
        platform=sysconfig.get_platform(),
        distributions={name: version},
    )


def imported(environment):
    code = "import tiny_flower, importlib.metadata as m; print(tiny_flower.VERSION, m.version('tiny_flower'))"
    return subprocess.run([environment.interpreter, "-c", code], capture_output=True, text=True, check=True).stdout


def test_the_locks_versions_are_installed_from_where_pip_finds_them_and_nothing_else(environments, wheels):
    made = environments.ensure(captured("2.0+cpu"))
    assert imported(made) == "2.0+cpu 2.0+cpu\n"
    assert made == captured("2.0+cpu").model_copy(update={"interpreter": made.interpreter})
    seen = subprocess.run([made.interpreter, "-c", "import numpy"], capture_output=True, text=True, check=False)
    assert "No module named 'numpy'" in seen.stderr


def test_the_same_lock_has_one_environment_that_needs_no_index_again_and_another_lock_another(environments, wheels):
    made = environments.ensure(captured())
    (wheels / "tiny_flower-1.0-py3-none-any.whl").unlink()
    assert environments.ensure(captured()) == made
    assert environments.ensure(made) == made  # isolated already
    assert environments.ensure(captured("2.0+cpu")).interpreter != made.interpreter


@pytest.mark.parametrize("damage", ["never completed", "another version installed", "interpreter gone"])
def test_an_environment_that_is_not_whole_is_made_again(environments, wheels, damage):
    made = environments.ensure(captured())
    venv = Path(made.interpreter).parents[1]
    (site,) = venv.glob("lib/*/site-packages")
    if damage == "never completed":
        (venv.parent / "complete").unlink()
        (site / "tiny_flower.py").unlink()
    elif damage == "another version installed":
        other = (site / "tiny_flower-1.0.dist-info").rename(site / "tiny_flower-3.0.dist-info")
        (other / "METADATA").unlink()  # a link into uv's cache
        (other / "METADATA").write_text("Name: tiny_flower\nVersion: 3.0\n")
    else:
        Path(made.interpreter).unlink()
    assert environments.ensure(captured()) == made
    assert imported(made) == "1.0 1.0\n"


def test_a_distribution_without_an_index_is_refused_with_a_remedy_and_leaves_nothing(environments, wheels, tmp_path):
    with pytest.raises(EnvironmentNotBuilt) as failed:
        environments.ensure(captured("9.9"))
    assert "tiny-flower==9.9" in failed.value.details
    assert "pip wheel" in failed.value.remedy
    assert [path.name for path in (tmp_path / "environments").glob("*/*")] == ["requirements.txt"]


def test_a_lock_that_is_older_than_what_serving_needs_is_refused_before_anything_is_installed(tmp_path):
    needed = dict.fromkeys(("bentoml", "cloudpickle", "numpy", "uvicorn", "backports-zstd"), "1.0")
    lock = captured().model_copy(update={"distributions": needed})
    with pytest.raises(EnvironmentNotBuilt, match="its lock lacks msgspec, which") as failed:
        VirtualEnvironments(tmp_path / "environments").ensure(lock)
    assert "deploy the notebook again" in failed.value.remedy
    assert not (tmp_path / "environments").exists()


def test_a_notebook_of_an_older_lock_runs_again_next_to_the_requirements_of_serving(tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(
        "jupyter_deploy.artifacts.isolated._build", lambda wanted, *_: made.append(wanted.distributions)
    )
    VirtualEnvironments(tmp_path / "environments").ensure(captured(), kernel=True)
    assert {"tiny_flower", "ipykernel", "msgspec"} <= set(made[0])


def test_a_second_builder_waits_for_the_installer_of_a_killed_one(environments, wheels, tmp_path, monkeypatch):
    """Otherwise it would remove the files of a build in progress."""
    slow = tmp_path / "uv"
    slow.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 600\n")
    slow.chmod(0o755)
    code = f"""
import sys, uv
uv.find_uv_bin = lambda: {str(slow)!r}
from pathlib import Path
from jupyter_deploy.environments import environment
from jupyter_deploy.artifacts.isolated import VirtualEnvironments
from jupyter_deploy.domain.capture.artifacts import Environment
environment.NEEDED = ()
VirtualEnvironments(Path({str(tmp_path / "environments")!r})).ensure(Environment.model_validate_json(sys.argv[1]))
"""
    builder = subprocess.Popen([sys.executable, "-c", code, captured().model_dump_json()])
    pid = int(until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text()))
    builder.kill()
    builder.wait()
    done = []
    second = threading.Thread(target=lambda: done.append(environments.ensure(captured())), daemon=True)
    second.start()
    until(lambda: second.is_alive() and waits_for_a_lock())
    assert done == []
    os.kill(pid, signal.SIGKILL)
    second.join(180)
    assert imported(done[0]) == "1.0 1.0\n"


def test_pips_settings_reach_uv_and_uvs_own_go_first(monkeypatch, tmp_path):
    settings = tmp_path / "pip.conf"
    settings.write_text(
        "[global]\nindex-url = https://a/simple\nextra-index-url =\n  https://b/simple\n  https://c/simple\n"
        "[install]\nfind-links = /one /two\nno-index = false\n"
    )
    for name in ("PIP_FIND_LINKS", "PIP_CERT", "PIP_NO_INDEX", "PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(settings))
    monkeypatch.setenv("PIP_TRUSTED_HOST", "a")
    found = uvs_settings(pips_settings())
    assert {name: found[name] for name in ("UV_DEFAULT_INDEX", "UV_INDEX", "UV_FIND_LINKS", "UV_INSECURE_HOST")} == {
        "UV_DEFAULT_INDEX": "https://a/simple",
        "UV_INDEX": "https://b/simple https://c/simple",
        "UV_FIND_LINKS": "/one,/two",
        "UV_INSECURE_HOST": "a",
    }
    assert "no-index" not in pips_settings()


def test_an_indexs_password_is_not_shown():
    assert without_credentials("at https://ada:secret@index/simple/ and /a@b") == "at https://index/simple/ and /a@b"
    assert without_credentials("at https://ada:s@cr/et@index/simple/") == "at https://index/simple/"
