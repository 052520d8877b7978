"""The process that builds bentos: started early, used once, never left behind."""

import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from jupyter_deploy.artifacts.bento import BentoBuilder
from jupyter_deploy.artifacts.bento_format import FORMAT, format_of
from jupyter_deploy.capture.capturer import ModelCapturer
from jupyter_deploy.domain.capture.artifacts import Tolerance
from jupyter_deploy.domain.errors import EnvironmentNotBuilt
from tests.command_lines import command_line
from tests.contract.capturing import capture

pytestmark = pytest.mark.usefixtures("own_processes")


def builders():
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.Error):  # of another test, ended in the meantime
            found += [child] if "bento_build.py" in command_line(child) else []
    return found


def test_a_prepared_process_that_is_not_needed_is_gone_afterwards(tmp_path):
    with BentoBuilder(tmp_path).prepared():
        assert len(builders()) == 1
    assert builders() == []


def test_a_failure_while_it_waits_leaves_no_process(tmp_path):
    with pytest.raises(KeyboardInterrupt), BentoBuilder(tmp_path).prepared():
        raise KeyboardInterrupt
    assert builders() == []


def test_prepared_or_not_a_build_makes_the_bento(tmp_path):
    builder = BentoBuilder(tmp_path)
    capturer = ModelCapturer(tmp_path, Tolerance(), 60)
    first = capture(capturer, lambda x: x * 2, 5)
    second = capture(capturer, lambda x: x * 3, 5)
    with builder.prepared():
        (waiting,) = builders()
        assert builder.build(first).tag == first.tag
        assert not waiting.is_running()  # it built this one
        assert builder.build(second).tag == second.tag  # and a new one the next
    assert builders() == []
    with builder.prepared(first.tag):
        assert builders() == [], "it has a bento"
    with builder.prepared("churn:another"):
        assert len(builders()) == 1


@pytest.mark.parametrize("other", [None, "0", pytest.param("2", marks=pytest.mark.exhaustive)])
def test_a_bento_of_another_format_is_built_again_next_to_it_and_running_releases_keep_their_code(tmp_path, other):
    builder = BentoBuilder(tmp_path)
    snapshot = capture(ModelCapturer(tmp_path, Tolerance(), 60), lambda x: x * 2, 5)
    old = Path(builder.build(snapshot).path)
    assert builder.build(snapshot).path == str(old)
    assert format_of(old) == FORMAT == "1"
    _give_format(old, other)
    before = {path: path.stat().st_mtime_ns for path in old.rglob("*")}
    new = builder.build(snapshot)
    assert (new.tag, Path(new.path).parent) == (snapshot.tag, old.parent)
    assert format_of(Path(new.path)) == FORMAT
    assert {path: path.stat().st_mtime_ns for path in old.rglob("*")} == before
    made = Path(new.path).stat().st_ino
    assert builder.build(snapshot) == new
    assert Path(new.path).stat().st_ino == made
    _give_format(Path(new.path), other)
    assert Path(builder.build(snapshot).path).name == f"{old.name}-3"


def _give_format(bento, version):
    file = bento / "src" / "serving" / "VERSION"
    file.unlink()
    if version is not None:
        file.write_text(version)


def test_a_snapshot_whose_own_environment_is_too_old_for_serving_is_refused(tmp_path):
    builder = BentoBuilder(tmp_path)
    snapshot = capture(ModelCapturer(tmp_path, Tolerance(), 60), lambda x: x * 2, 5)
    environment = snapshot.manifest.environment
    lock = {name: version for name, version in environment.distributions.items() if name != "msgspec"}
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)

    def in_environment(interpreter):
        older = environment.model_copy(update={"distributions": lock, "interpreter": str(interpreter)})
        return snapshot.model_copy(update={"manifest": snapshot.manifest.model_copy(update={"environment": older})})

    with pytest.raises(EnvironmentNotBuilt, match="its lock lacks msgspec, which") as failed:
        builder.build(in_environment(tmp_path / "venv" / "bin" / "python"))
    assert "deploy the notebook again" in failed.value.remedy
    # What nbdeploy was upgraded in has got it since: such a snapshot is served as ever.
    assert builder.build(in_environment(sys.executable)).tag == snapshot.tag
