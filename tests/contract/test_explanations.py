"""The verb explain on real snapshots: each model answers in a clean process, and no release is asked."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest
from capturing import capture
from record_world import World
from sklearn.linear_model import LinearRegression

from jupyter_deploy.domain.capture.artifacts import Environment
from jupyter_deploy.domain.errors import InvalidInput, TargetError
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.release.traffic import Traffic
from jupyter_deploy.faces.render.render import html
from jupyter_deploy.settings import Settings
from jupyter_deploy.system.clean_process import CleanProcess
from jupyter_deploy.system.model_process import ModelProcess
from jupyter_deploy.verbs import BY_NAME
from jupyter_deploy.wiring import Wiring
from tests import manifests
from tests.monitoring import until
from tests.releases import release

DICE = np.random.default_rng(1)
TABLE = pd.DataFrame(
    {"age": DICE.normal(45, 10, 300), "income": DICE.normal(4, 1, 300), "shoe": DICE.normal(40, 2, 300)}
)


def of_one_column(column):
    return LinearRegression().fit(TABLE, 2.0 * TABLE[column])


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """An endpoint whose stable model knows the age, and whose shadow the income; and 60 requests."""
    root = tmp_path_factory.mktemp("explained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NBDEPLOY_HOME", str(root / "home"))
        patch.setenv("BENTOML_HOME", str(root / "bentoml"))
        ports = Wiring(Settings()).ports
        versions = []
        for column in ("age", "income"):
            snapshot = capture(ports.capturer, of_one_column(column), TABLE.head(3), name="tumour", project=root)
            ports.store.remember(snapshot)
            versions.append(snapshot.tag.partition(":")[2])
        stable, shadow = (release(version) for version in versions)
        traffic = Traffic(stable=stable.tag, shadows={shadow.tag: 100.0})
        endpoint = Endpoint(name="tumour", releases=(stable, shadow), traffic=traffic)
        ports.store.save(endpoint, based_on=0, reason="", change="made")
        world = World(ports.home)
        for number, row in enumerate(TABLE.head(60).to_dict("records")):
            world.record(number, versions[0], "stable", [2.0 * row["age"]], inputs=[row])
        world.record(90, versions[0], "stable", [1.0], inputs=None)
        world.record(91, versions[0], "stable", [1.0], inputs=[{"age": 3.0, "income": 1.0}], redacted=["shoe"])
        world.record(92, "former", "stable", [1.0], inputs=[{"age": "x", "income": 1.0, "shoe": 2.0}])
        yield ports


def explained(ports, **given):
    operation = BY_NAME["explain"]
    return operation.function(operation.request(name="tumour", **given), ports, lambda _: None)


@pytest.fixture(scope="module")
def found(scene):
    return explained(scene, request_id="r7")


def test_stable_and_candidate_are_explained_next_to_each_other(found):
    stable, shadow = found.releases
    assert (stable.role, shadow.role) == ("stable", "shadow")
    for one, feature in ((stable, "age"), (shadow, "income")):
        assert one.contributions[0].feature == feature
        assert all(abs(part.contribution) < 1e-6 for part in one.contributions[1:])
        assert sum(part.contribution for part in one.contributions) == pytest.approx(one.value - one.baseline)
        assert one.value == pytest.approx(2 * TABLE[feature][7])
    assert "recorded rows" in found.background


def test_the_page_has_a_column_for_each_release_and_names_the_method(found):
    text, page = str(found), html(found)
    assert "Shapley values by sampled orders" in text
    assert "nothing about causes" in text
    assert f"shadow {found.releases[1].release.partition(':')[2]}" in text
    assert "■" in page


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"request_id": "r7", "row": 1}, "has 1 rows"),
        ({"request_id": "none"}, "no answered request with the id 'none'"),
        ({"request_id": "r90"}, "is not recorded"),
        ({"request_id": "r91"}, "lacks shoe, which is redacted"),
    ],
)
def test_a_request_that_cannot_be_explained_is_an_error_with_the_reason(scene, given, words):
    with pytest.raises(InvalidInput, match=words):
        explained(scene, **given)


def test_a_row_that_the_model_refuses_is_an_error_with_its_words(scene):
    with pytest.raises(TargetError, match=r"did not answer: InvalidInstances: .*age"):
        explained(scene, request_id="r92")


@pytest.mark.parametrize("printed", ["", '{"result": '])
def test_a_model_that_hangs_is_ended_with_the_lines_that_it_printed(tmp_path, printed):
    """Also if it hangs within a line, and with a child that holds its output."""
    package = tmp_path / "code" / "serving"
    package.mkdir(parents=True)
    (package / "hanging.py").write_text(
        "import os, sys, time\n"
        "def main():\n"
        "    print('waiting for a server', file=sys.stderr, flush=True)\n"
        f"    print({printed!r}, end='', flush=True)\n"
        "    os.fork()\n"
        "    time.sleep(600)\n"
    )
    for folder in ("elsewhere", "tmp"):
        (tmp_path / folder).mkdir()
    environment = Environment(interpreter=sys.executable, python="3", platform="linux-x86_64", distributions={})
    snapshot = manifests.snapshot(environment=environment)
    process = ModelProcess(
        CleanProcess(tmp_path), snapshot, "serving.hanging", log=tmp_path / "model.log", variables={}, secrets={}
    )
    try:
        until(lambda: "waiting" in process.last_log())
        with pytest.raises(TargetError, match=r"did not answer: it took longer than 0\.5 s") as refused:
            process.exchange({}, failed="did not answer", remedy="wait", seconds=0.5)
    finally:
        process.end()
    assert "waiting for a server" in refused.value.details
