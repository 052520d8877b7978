"""A notebook's environment changes under its endpoint: an isolated release still starts, another one fails with the
reason.
"""

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.contract.images.test_isolated import write_wheel
from tests.e2e.processes import running

# What a cell would do; the model's answer depends on the installed version.
DEPLOY = """
import tiny_flower
import jupyter_deploy

def model(x):
    import tiny_flower
    return f"{x} by {tiny_flower.VERSION}"

deployed = jupyter_deploy.deploy(model, name="alone", example=1, isolated=True)
print(deployed.model_dump_json())
"""


def notebooks_environment(folder, wheels):
    """The interpreter of a small environment that also sees the distributions of the tests' own."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (site,) = folder.glob("lib/*/site-packages")
    (site / "near.pth").write_text(sysconfig.get_path("purelib") + "\n")
    (site / "nbdeploy.pth").write_text(str(Path(__file__).parents[3]) + "\n")
    install(folder, wheels, "1.0")
    return folder / "bin" / "python"


def install(folder, wheels, version):
    from uv import find_uv_bin

    command = [find_uv_bin(), "pip", "install", "--quiet", "--no-index", "--find-links", wheels]
    subprocess.run([*command, "--python", folder / "bin" / "python", f"tiny_flower=={version}"], check=True)


def deploy(home, python):
    ended = subprocess.run(
        [python, "-c", DEPLOY], env=home.environment, cwd=home.path, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout.splitlines()[-1])


# 'make test' makes isolated environments in tests/contract/images/test_isolated.py.
@pytest.mark.exhaustive
def test_what_is_installed_later_touches_no_isolated_release(home, tmp_path):
    wheels = tmp_path / "wheels"
    for version in ("1.0", "2.0"):
        write_wheel(wheels, version)
    python = notebooks_environment(tmp_path / "venv", wheels)

    home.environment["PIP_FIND_LINKS"] = f"{os.environ.get('PIP_FIND_LINKS', '')} {wheels}".strip()
    alone = deploy(home, python)
    assert alone["captured"]["environment"]["interpreter"].startswith(str(home.path / "nbdeploy" / "environments"))
    (near,) = {f"alone:{path.name}" for path in (home.path / "bentoml/models/alone").glob("*/")} - {alone["snapshot"]}

    install(tmp_path / "venv", wheels, "2.0")
    refused = home.run("deploy", near, "--name", "near", check=False)
    assert "tiny_flower: captured 1.0, installed 2.0" in refused.stderr
    again = home.json("deploy", near, "--isolated")
    assert (again["changed"], again["release"]) == (False, alone["release"])

    home.run("down")
    home.run("reconcile")
    assert home.json("predict", "alone")["body"] == {"predictions": ["1 by 1.0"]}
    home.down()
    assert running(home) == []
