"""The wheel in a user's environment: with its dependencies, and nothing else but a JupyterLab."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright
from uv import find_uv_bin

import jupyter_deploy
from jupyter_deploy.environments.installer import pips_settings, uvs_settings
from tests.conftest import make_home
from tests.e2e.lab import jupyter, launch
from tests.e2e.person import Person, until_deployed
from tests.notebooks import write

pytestmark = [pytest.mark.timeout(600), pytest.mark.exhaustive]

ROOT = Path(__file__).resolve().parents[3]
PLACE = "share/jupyter/labextensions/nbdeploy"
BESIDE = ("jupyterlab", "scikit-learn")  # what who trains a model in a notebook has anyway
NODE = {"node", "nodejs", "npm", "npx"}
TRAIN = [
    "import numpy as np\nfrom sklearn.linear_model import LogisticRegression\n"
    "rng = np.random.default_rng(0)\n"
    "X = rng.normal(size=(400, 3)).round(2)\n"
    "y = np.where(X.sum(axis=1) + rng.normal(size=400) > 0, 'yes', 'no')\n"
    "X_train, X_test, y_train, y_test = X[:300], X[300:], y[:300], y[300:]",
    "clf = LogisticRegression(C=1.0).fit(X_train, y_train)\nclf.score(X_test, y_test)",
    "clf = LogisticRegression(C=0.0001).fit(X_train, y_train)\nclf.score(X_test, y_test)",
]


def run(*command, environment):
    """Away from the checkout, which Python would import from, were it the working directory."""
    ended = subprocess.run(
        [*map(str, command)], cwd="/", env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert ended.returncode == 0, f"{command}\n{ended.stdout}\n{ended.stderr}"
    return ended.stdout + ended.stderr


def uv(*arguments, **environment):
    """Looks for packages where pip's settings name them."""
    run(find_uv_bin(), *arguments, "--quiet", environment=uvs_settings(pips_settings()) | os.environ | environment)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel of this checkout with the extension that setup built: other tests use that, so it is not built anew."""
    folder = tmp_path_factory.mktemp("wheel")
    uv("build", "--wheel", "--out-dir", folder, ROOT, HATCH_JUPYTER_BUILDER_SKIP_NPM="1")
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def newcomer(wheel, tmp_path_factory):
    """An unused home, and a new environment: the wheel and its dependencies. There is no node."""
    folder = tmp_path_factory.mktemp("newcomer")
    python = folder / "venv" / "bin" / "python"
    uv("venv", "--seed", "--python", sys.executable, folder / "venv")
    uv("pip", "install", "--python", python, wheel, *BESIDE)
    made = make_home(folder / "home")
    made.python = str(python)
    made.environment |= {"HOME": str(made.path), "PATH": f"{python.parent}:{_without_node(folder / 'programs')}"}
    yield made
    made.down()
    shutil.rmtree(folder / "venv")  # near a gigabyte


def _without_node(folder):
    """This machine's programs, without those of node."""
    folder.mkdir()
    for place in map(Path, ("/usr/bin", "/bin")):
        for program in place.iterdir():
            if program.name not in NODE and not (folder / program.name).is_symlink():
                (folder / program.name).symlink_to(program)
    return folder


def test_the_wheel_has_the_extension_once_where_lab_looks_for_it(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if "labextension" in name]
        manifest = json.loads(archive.read(next(name for name in names if name.endswith(f"{PLACE}/package.json"))))
    assert all(f".data/data/{PLACE}/" in name for name in names)
    assert not [name for name, times in Counter(names).items() if times > 1]
    inside = {name.partition(f"{PLACE}/")[2] for name in names}
    assert {"package.json", "install.json", "schemas/nbdeploy/commands.json", "static/style.js"} <= inside
    assert manifest["jupyterlab"]["_build"]["load"] in inside
    assert not [name for name in inside if name.endswith((".ts", ".tsx", ".map"))]


def test_the_extension_has_the_packages_version():
    package = json.loads((ROOT / "labextension" / "package.json").read_text())
    assert package["version"] == jupyter_deploy.__version__


def test_lab_and_the_server_list_the_installed_extension_as_ok(newcomer):
    beside = Path(newcomer.python).parent
    assert shutil.which("node", path=newcomer.environment["PATH"]) is None
    run(newcomer.python, "-m", "pip", "check", environment=newcomer.environment)
    found = run(beside / "jupyter", "labextension", "list", environment=newcomer.environment)
    line = next(line for line in found.splitlines() if " nbdeploy v" in line)
    assert "enabled" in line
    assert "OK" in line
    assert "(python, nbdeploy)" in line
    found = run(beside / "jupyter", "server", "extension", "list", environment=newcomer.environment)
    validated = found[found.index("Validating jupyter_deploy.faces.server") :]
    assert "OK" in validated.splitlines()[1]


def test_a_newcomer_gets_from_a_trained_model_to_a_shadow_in_the_sidebar(newcomer, tmp_path):
    notebook = write(tmp_path / "churn.ipynb", *TRAIN)
    with jupyter(newcomer, notebook) as url, sync_playwright() as playwright:
        browser = launch(playwright)
        person = Person(browser.new_page(viewport={"width": 1400, "height": 1000}), url, newcomer)
        person.opens()
        assert str(ROOT) not in person.executes("__import__('jupyter_deploy').__file__")
        for trained, shown in ((1, "stable 100 %"), (2, "shadow 100 %")):
            person.runs(0, trained)
            person.clicks = 0
            person.clicks_on(person.toolbar_button)
            expect(person.ready).to_be_enabled(timeout=120_000)
            person.clicks_on(person.ready)
            person.clicks_on(until_deployed(person))
            expect(person.sidebar.get_by_text(shown).first).to_be_visible(timeout=60_000)
            assert person.clicks <= 4
        expect(person.switch).to_have_attribute("aria-checked", "true")
        asked = newcomer.json("predict", "churn")
        assert asked["status"] == 200
        # Each part of the sidebar finds what it is made with.
        for tab, seen in (
            ("Compare", "table, .vega-embed canvas, .vega-embed svg"),
            ("Live", ".vega-embed canvas, .vega-embed svg"),
            ("Records", '[aria-label="Records, newest first"]'),
            ("Try it", "button:has-text('Send')"),
            ("History", ".nbd-Revisions"),
        ):
            person.sidebar.get_by_role("tab", name=re.compile(f"^{tab}")).click()
            expect(person.sidebar.locator(seen).first).to_be_visible(timeout=60_000)
            expect(person.sidebar.get_by_role("alert")).to_have_count(0)
        assert person.errors == []
        browser.close()
