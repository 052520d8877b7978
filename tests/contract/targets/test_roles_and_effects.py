"""Side effects of shadows: the role for the model, and the findings of capture."""

import asyncio
import json
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

import jupyter_deploy
from jupyter_deploy.capture.capturer import ModelCapturer
from jupyter_deploy.capture.replay import run_replay
from jupyter_deploy.domain.capture.artifacts import Tolerance
from jupyter_deploy.serving import Front
from jupyter_deploy.serving.snapshot import load
from jupyter_deploy.system.clean_process import copy_serving
from tests.contract.capturing import capture
from tests.contract.serving.test_serving_snapshot import write_snapshot

pytestmark = pytest.mark.usefixtures("forked_replays")


@pytest.fixture(autouse=True)
def _swept():
    yield
    Path("/tmp/nbdeploy-test-effects").unlink(missing_ok=True)


@pytest.fixture(scope="module")
def capturer(tmp_path_factory):
    return ModelCapturer(tmp_path_factory.mktemp("store") / "bentoml", Tolerance(), replay_timeout=120)


# Roles


def role_in_a_thread(rows):
    found = []
    thread = threading.Thread(target=lambda: found.append(jupyter_deploy.serving_role()))
    thread.start()
    thread.join()
    return [f"{row:g} {jupyter_deploy.serving_role()} {found[0]}" for row in rows]


def test_each_request_has_its_own_role_in_the_model_and_in_the_threads_it_starts(tmp_path):
    folder = tmp_path / "role" / "1a2b"
    write_snapshot(folder, role_in_a_thread, [1.0], ["1 None None"], "list")
    front = Front(Starlette(), model=load(folder))
    roles = ["stable", "canary", "shadow", "probe", "nonsense", "shadow", "stable"] * 3

    async def ask():
        transport = httpx.ASGITransport(app=front)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await asyncio.gather(
                *(
                    client.post("/predict", json={"instances": [number]}, headers={"x-rollout-role": role})
                    for number, role in enumerate(roles)
                )
            )

    answers = [answer.json()["predictions"] for answer in asyncio.run(ask())]
    front._close()
    told = ["direct" if role == "nonsense" else role for role in roles]
    assert answers == [[f"{number} {role} {role}"] for number, role in enumerate(told)]
    assert jupyter_deploy.serving_role() is None, "nothing is being asked now"


def role_by_two_names(x):
    from jupyter_deploy import serving_role as inner

    return f"{inner() == jupyter_deploy.serving_role()}"


ELSEWHERE = """
import json, sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "jupyter_deploy":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Missing())
sys.path.insert(0, sys.argv[1])
from serving import load
from serving.role import in_role
model = load(sys.argv[2])
with in_role("canary"):
    print(json.dumps(model.answer([1])))
"""


def test_the_role_is_available_without_this_package_and_adds_nothing_to_the_lock(tmp_path, capturer):
    snapshot = capture(capturer, role_by_two_names, 5)
    assert "nbdeploy" not in snapshot.manifest.environment.distributions
    assert [finding for finding in snapshot.manifest.findings if finding.check == "side-effects"] == []
    assert "jupyter_deploy" not in run_replay(Path(snapshot.path), sys.executable, 60)["modules"]
    code = copy_serving(tmp_path).parent
    ended = subprocess.run(
        [sys.executable, "-P", "-c", ELSEWHERE, code, snapshot.path],
        cwd="/",
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(ended.stdout) == ["True"]


# Effects


def writes_a_file(x):
    with open("answers.log", "a") as file:
        file.write(str(x))
    return x


def writes_far_away(x):
    with open("/tmp/nbdeploy-test-effects", "w"):
        pass
    return x


def imports_what_writes(x):
    import sys

    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/writing_when_imported.py", "w") as file:
            file.write("open('/tmp/nbdeploy-test-effects', 'w').close()")
        sys.path.insert(0, folder)
        import writing_when_imported

        sys.path.remove(folder)
    return x


def connects(x):
    with socket.socket() as client:
        client.connect_ex(("127.0.0.1", 9))
    return x


def looks_up(x):
    import urllib.request

    try:
        urllib.request.urlopen("http://nowhere.invalid/secret", timeout=1)
    except OSError:
        return x


def starts_a_program(x):
    subprocess.run(["true", "--token=secret"], check=True)
    return x


def writes_a_database(x):
    with sqlite3.connect("answers.db") as db:
        db.execute("CREATE TABLE IF NOT EXISTS answers (x)")
    return x


class Logging:
    def predict(self, rows):
        return [writes_a_file(row) for row in rows]


def does_harmless_things(x):
    import colorsys
    import os
    import tabnanny

    with tempfile.TemporaryDirectory() as folder, open(os.path.join(folder, "x"), "w") as file:
        file.write("temporary")
    with open(os.devnull, "w") as null, open("/proc/self/stat") as stat:
        null.write(stat.read())
    with sqlite3.connect(":memory:") as db:
        db.execute("SELECT 1")
    return x


def minds_its_role(x):
    if jupyter_deploy.serving_role() in ("stable", "canary"):
        with open("answers.log", "a") as file:
            file.write(str(x))
    return x


EFFECTS = [
    (writes_a_file, "writes answers.log"),
    (writes_far_away, "writes /tmp/nbdeploy-test-effects"),
    (connects, "connects to 127.0.0.1:9"),
    (looks_up, "connects to nowhere.invalid:80"),
    (starts_a_program, "starts the program true"),
    (writes_a_database, "writes answers.db"),
]


def counts_cores(x):
    import contextlib
    import subprocess

    with contextlib.suppress(OSError):
        subprocess.run(["lscpu"], check=False, capture_output=True)
    return x


HARMLESS = [counts_cores, does_harmless_things, imports_what_writes, minds_its_role]


def does_everything(x):
    for function, _ in EFFECTS:
        function(x)
    for function in HARMLESS:
        function(x)
    return x


@pytest.fixture(scope="module")
def warnings(capturer, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("notebook"))  # capture asks the model here, too
        return capture(capturer, does_everything, 5).manifest.findings


@pytest.mark.parametrize(("function", "what"), EFFECTS, ids=[what for _, what in EFFECTS])
def test_side_effects_of_a_model_are_reported_with_their_line(warnings, function, what):
    (finding,) = [finding for finding in warnings if finding.message.startswith(f"{function.__name__}(), ")]
    assert (finding.check, finding.severity) == ("side-effects", "warning")
    line = int(finding.message.partition("line ")[2].partition(",")[0])
    assert finding.message.endswith(f"line {line}, {what}")
    first = function.__code__.co_firstlineno
    assert first < line < first + 8
    assert "serving_role()" in finding.remedy
    assert "secret" not in finding.message


def test_harmless_effects_and_those_that_a_shadow_skips_are_not_reported(warnings):
    assert len(warnings) == len(EFFECTS)
