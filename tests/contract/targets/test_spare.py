"""Spare processes for the next deploy: real clean processes, replays and builds."""

import os
from contextlib import suppress

import psutil
import pytest
import threadpoolctl
from capturing import capture, live

from jupyter_deploy.artifacts.bento import BentoBuilder
from jupyter_deploy.capture import replay
from jupyter_deploy.capture.capturer import ModelCapturer
from jupyter_deploy.domain.capture.artifacts import Tolerance
from jupyter_deploy.domain.errors import ReplayFailed
from jupyter_deploy.environments.environment import interpreter
from jupyter_deploy.system import spare
from tests.command_lines import command_line
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
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.Error):  # it ends just now
            line = command_line(child)
            if "serving.spare" in line or "bento_build.py" in line:
                found.append(child)
    return found


ROW = {"x": 1, "y": 2}


def times(factor):
    """A function that is pickled with its code, so its process imports none of this module's libraries."""

    def model(x, y):
        return x * factor + y

    return model


def of_a_library(factor):
    """A model that needs a distribution, which is imported in no time."""

    def model(x, y):
        return factor * len(threadpoolctl.__name__) * x + y

    return model


def environment_of(snapshot):
    return snapshot.manifest.environment


def test_the_next_model_is_proved_by_what_waits_and_is_the_same_snapshot_as_without(capturer, proved, tmp_path):
    first = capture(capturer, of_a_library(1.0), ROW)
    capturer.start_spare()
    (one,) = until(waiting)
    second = capture(capturer, of_a_library(0.1), ROW)
    assert not one.is_running()  # it is used once
    third = capture(capturer, of_a_library(0.01), ROW)
    assert proved == [False, True, False]
    assert environment_of(first) == environment_of(second) == environment_of(third)
    again = capture(ModelCapturer(tmp_path / "other", Tolerance(), 120), of_a_library(0.1), ROW)
    assert (again.tag, again.manifest.predictions) == (second.tag, second.manifest.predictions)


def test_a_model_that_asks_for_less_is_proved_by_a_fresh_process(capturer, proved):
    capture(capturer, of_a_library(1.0), ROW)
    capturer.start_spare()
    less = capture(capturer, times(2), ROW)
    assert proved == [False, False]
    assert "threadpoolctl" not in environment_of(less).distributions
    capturer.start_spare()  # with what that one imported
    capture(capturer, times(3), ROW)
    assert proved == [False, False, True]


def test_what_only_works_since_something_else_was_imported_is_refused_as_ever(capturer, proved):
    import xml.dom.minidom

    def by_accident(x, y):
        from xml import dom

        return len(dom.minidom.parseString("<a/>").childNodes) * x + y

    def rightly(x, y):
        from xml.dom import minidom

        return len(minidom.parseString("<a/>").childNodes) * x + y

    assert xml.dom.minidom
    capture(capturer, rightly, ROW)
    capturer.start_spare()
    with pytest.raises(ReplayFailed, match="minidom"):
        capture(capturer, by_accident, ROW)
    assert proved == [False, False]


def test_a_model_that_ends_the_process_that_waits_is_judged_by_a_fresh_one(capturer, proved):
    capture(capturer, times(2), ROW)
    capturer.start_spare()

    def deadly(x, y):
        import os
        import sys

        if "serving.snapshot" in sys.modules:
            os._exit(7)
        return x + y

    with pytest.raises(ReplayFailed, match="exit code 7"):
        capture(capturer, deadly, ROW)
    assert proved == [False, False]


@pytest.mark.parametrize("change", ["killed", "another variable", "another interpreter"])
def test_one_that_does_not_fit_any_more_is_dismissed(capturer, proved, monkeypatch, change):
    capture(capturer, times(2), ROW)
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
    assert capture(capturer, times(3), ROW)
    assert proved == [False, False]
    assert waiting() == []


def test_what_is_installed_while_it_waits_makes_it_unfit(capturer, proved, monkeypatch):
    capture(capturer, times(2), ROW)
    capturer.start_spare()
    monkeypatch.setattr(spare, "installed", lambda: (("/site-packages", 1),))
    assert capture(capturer, times(3), ROW)
    assert proved == [False, False]


def test_another_one_takes_its_place_and_a_fork_has_none(capturer):
    capture(capturer, times(2), ROW)
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


def test_a_capture_begins_with_its_clean_process_and_leaves_none(capturer, proved):
    model = live(of_a_library(1.0), ROW)
    with capturer.prepared(model):
        (one,) = until(waiting)
        capture(capturer, of_a_library(1.0), ROW)
        assert not one.is_running()
    assert proved == [True]
    with capturer.prepared(model):
        (_,) = until(waiting)
    assert waiting() == []


def test_what_waits_stays_for_a_model_of_the_same_types_and_goes_for_another_one(capturer):
    capture(capturer, of_a_library(1.0), ROW)
    capturer.start_spare()
    (one,) = until(waiting)
    capturer.start_spare_for(live(of_a_library(0.5), ROW))
    assert waiting() == [one]
    capturer.start_spare_for(live(times(2), ROW))
    assert not one.is_running()


def test_what_nothing_asked_for_is_not_imported_ahead_for_the_next_model_of_these_types(capturer, proved, monkeypatch):
    names = ("threadpoolctl",)
    monkeypatch.setattr(replay, "_unconfirmed", {})
    python = interpreter().interpreter
    replay.start_spare(python, ["threadpoolctl", "wave"], names)
    capture(capturer, of_a_library(1.0), ROW)
    replay.start_spare(python, ["threadpoolctl", "wave"], names)
    capture(capturer, of_a_library(0.1), ROW)
    assert proved == [False, True]


def test_its_folder_goes_with_it(capturer, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    capture(capturer, times(2), ROW)
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
    snapshot = capture(capturer, times(2), ROW)
    with BentoBuilder(tmp_path / "bentoml").prepared() as _:
        assert [child.pid for child in waiting()] == [one.pid]
        assert builder.build(snapshot).tag == snapshot.tag


def test_one_that_waits_for_another_home_is_not_used(tmp_path):
    BentoBuilder(tmp_path / "one").start_spare()
    (one,) = until(waiting)
    with BentoBuilder(tmp_path / "other").prepared():
        assert one.pid not in [child.pid for child in waiting()]
