"""Spare processes for the next deploy: real clean processes, replays and builds."""

import os

import psutil
import pytest
from capturing import NUMBERS, capture
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from jupyter_deploy.artifacts.bento import BentoBuilder
from jupyter_deploy.capture import replay
from jupyter_deploy.capture.capturer import ModelCapturer
from jupyter_deploy.domain.capture.artifacts import Tolerance
from jupyter_deploy.domain.errors import ReplayFailed
from jupyter_deploy.system import spare
from tests.e2e.conftest import until

pytestmark = pytest.mark.usefixtures("own_processes")


@pytest.fixture(autouse=True)
def nobody_waits():
    yield
    spare.dismiss()
    assert waiting() == []


@pytest.fixture
def capturer(tmp_path):
    return ModelCapturer(tmp_path / "bentoml", Tolerance(), replay_timeout=120)


@pytest.fixture
def proved(monkeypatch):
    """Of each replay, whether the process that waited has proved the model."""
    found = []
    by_spare = replay._by_spare

    def noting(*arguments):
        answer = by_spare(*arguments)
        found.append(answer is not None)
        return answer

    monkeypatch.setattr(replay, "_by_spare", noting)
    return found


def waiting():
    """The processes of this one that wait."""
    children = [child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE]
    return [
        child
        for child in children
        if "serving.spare" in (line := " ".join(child.cmdline())) or "bento_build.py" in line
    ]


def doubled(x, y):
    return x * 2 + y


def tripled(x, y):
    return x * 3 + y


def fitted(c):
    return make_pipeline(StandardScaler(), LogisticRegression(C=c)).fit(NUMBERS, [0, 1, 0, 1])


def environment_of(snapshot):
    return snapshot.manifest.environment


def test_the_next_model_is_proved_by_what_waits_and_is_the_same_snapshot_as_without(capturer, proved, tmp_path):
    first = capture(capturer, fitted(1.0), NUMBERS)
    capturer.start_spare()
    (one,) = until(waiting)
    second = capture(capturer, fitted(0.1), NUMBERS)
    assert not one.is_running()  # it is used once
    third = capture(capturer, fitted(0.01), NUMBERS)
    assert proved == [False, True, False]
    assert environment_of(first) == environment_of(second) == environment_of(third)
    again = capture(ModelCapturer(tmp_path / "other", Tolerance(), 120), fitted(0.1), NUMBERS)
    assert (again.tag, again.manifest.predictions) == (second.tag, second.manifest.predictions)


def test_a_model_that_asks_for_less_is_proved_by_a_fresh_process(capturer, proved):
    capture(capturer, fitted(1.0), NUMBERS)
    capturer.start_spare()
    less = capture(capturer, lambda frame: frame["age"] * 2, NUMBERS)
    assert proved == [False, False]
    assert "scikit-learn" not in environment_of(less).distributions
    capturer.start_spare()  # with what that one imported
    capture(capturer, lambda frame: frame["age"] * 3, NUMBERS)
    assert proved == [False, False, True]


def test_what_only_works_since_something_else_was_imported_is_refused_as_ever(capturer, proved):
    import xml.dom.minidom

    def by_accident(frame):
        from xml import dom

        return [len(dom.minidom.parseString("<a/>").childNodes) for _ in range(len(frame))]

    def rightly(frame):
        from xml.dom import minidom

        return [len(minidom.parseString("<a/>").childNodes) for _ in range(len(frame))]

    assert xml.dom.minidom
    capture(capturer, rightly, NUMBERS)
    capturer.start_spare()
    with pytest.raises(ReplayFailed, match="minidom"):
        capture(capturer, by_accident, NUMBERS)
    assert proved == [False, False]


def test_a_model_that_ends_the_process_that_waits_is_judged_by_a_fresh_one(capturer, proved):
    capture(capturer, doubled, {"x": 1, "y": 2})
    capturer.start_spare()

    def deadly(x, y):
        import os
        import sys

        if "serving.snapshot" in sys.modules:
            os._exit(7)
        return x + y

    with pytest.raises(ReplayFailed, match="exit code 7"):
        capture(capturer, deadly, {"x": 1, "y": 2})
    assert proved == [False, False]


@pytest.mark.parametrize("change", ["killed", "another variable", "another interpreter"])
def test_one_that_does_not_fit_any_more_is_dismissed(capturer, proved, monkeypatch, change):
    capture(capturer, doubled, {"x": 1, "y": 2})
    capturer.start_spare()
    (one,) = until(waiting)
    if change == "killed":
        one.kill()
        until(lambda: not waiting())
    elif change == "another variable":
        monkeypatch.setenv("OMP_NUM_THREADS", "1")
    else:
        key = spare.key_of
        monkeypatch.setattr(spare, "key_of", lambda *made_for: (key(*made_for), "other"))
    assert capture(capturer, tripled, {"x": 1, "y": 2})
    assert proved == [False, False]
    assert waiting() == []


def test_what_is_installed_while_it_waits_makes_it_unfit(capturer, proved, monkeypatch):
    capture(capturer, doubled, {"x": 1, "y": 2})
    capturer.start_spare()
    monkeypatch.setattr(spare, "installed", lambda: (("/site-packages", 1),))
    assert capture(capturer, tripled, {"x": 1, "y": 2})
    assert proved == [False, False]


def test_another_one_takes_its_place_and_a_fork_has_none(capturer):
    capture(capturer, doubled, {"x": 1, "y": 2})
    capturer.start_spare()
    (one,) = until(waiting)
    capturer.start_spare()
    assert not one.is_running()
    (other,) = waiting()
    child = os.fork()
    if not child:
        os._exit(0 if spare.take("replay", spare.Spare, spare.key_of(environment_python(capturer))) is None else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert other.is_running()


def environment_python(capturer):
    return capturer._replayed[0]


def test_its_folder_goes_with_it(capturer, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    capture(capturer, doubled, {"x": 1, "y": 2})
    capturer.start_spare()
    (folder,) = tmp_path.glob("nbdeploy-spare-*")
    (one,) = until(waiting)
    spare._kept["replay"][0].process.stdin.close()  # as the end of this process does
    until(lambda: not one.is_running() or one.status() == psutil.STATUS_ZOMBIE)
    assert not folder.exists()


def test_the_next_bento_is_built_by_what_waits(capturer, tmp_path):
    builder = BentoBuilder(tmp_path / "bentoml")
    builder.start_spare()
    (one,) = until(waiting)
    snapshot = capture(capturer, lambda frame: frame["age"] * 2, NUMBERS)
    with BentoBuilder(tmp_path / "bentoml").prepared() as _:
        assert [child.pid for child in waiting()] == [one.pid]
        assert builder.build(snapshot).tag == snapshot.tag


def test_one_that_waits_for_another_home_is_not_used(tmp_path):
    BentoBuilder(tmp_path / "one").start_spare()
    (one,) = until(waiting)
    with BentoBuilder(tmp_path / "other").prepared():
        assert one.pid not in [child.pid for child in waiting()]
