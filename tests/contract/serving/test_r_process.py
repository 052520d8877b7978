"""R's process: what a crash, a hang, a fork and a missing R do to a call; frames there and back."""

import json
import os
import signal
import subprocess
import sys
from datetime import date

import numpy as np
import pandas as pd
import psutil
import pytest

from jupyter_deploy.serving.environment import EnvironmentChanged
from jupyter_deploy.serving.natives.r import RModel
from jupyter_deploy.serving.r import process
from jupyter_deploy.serving.r.frames import encoded
from jupyter_deploy.serving.r.process import RCrashed, RError
from jupyter_deploy.serving.values.validation import InvalidInstances
from tests.e2e.conftest import until
from tests.r_sessions import captured

CELLS = """d <- data.frame(n = 1:3, x = c(0.5, NA, 2), s = c("ä", NA, ""),
  f = factor(c("low", "high", "low"), c("low", "high"), ordered = TRUE),
  b = c(TRUE, FALSE, NA), day = as.Date("2026-01-31") + 0:2,
  at = as.POSIXct("2026-03-29 00:30:00", tz = "Europe/Berlin") + 3600 * 0:2)

ask <- function(df) {
  if (df$n[1] == 97L) stop("no answer to 97")
  if (df$n[1] == 98L) repeat {}
  if (df$n[1] == 99L) tools::pskill(Sys.getpid(), 9)
  if (df$n[1] == 96L) quit()
  df
}"""


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    """A function that answers its own input, and crashes or hangs if told so."""
    with captured(tmp_path_factory.mktemp("ask"), CELLS, "ask", "d") as made:
        yield made


@pytest.fixture
def model(live):
    return live.model


@pytest.fixture
def folder(live, tmp_path):
    """A copy of the model's files."""
    for name in live.model.files:
        (tmp_path / name).write_bytes((live.model.folder / name).read_bytes())
    return tmp_path


def rows(live, n):
    return live.example.assign(n=np.full(len(live.example), n, np.int32))


def test_every_type_of_column_comes_back_as_it_went(live):
    answers = live.model.predict(live.example)
    assert answers[0]["at"].isoformat() == "2026-03-29T00:30:00+01:00"
    assert answers[1]["at"].isoformat() == "2026-03-29T01:30:00+01:00"
    assert answers[2]["at"].isoformat() == "2026-03-29T03:30:00+02:00"
    plain = [{name: value for name, value in answer.items() if name != "at"} for answer in answers]
    assert [one.pop("x") for one in plain][::2] == [0.5, 2.0]
    assert plain == [
        {"n": 1, "s": "ä", "f": "low", "b": True, "day": date(2026, 1, 31)},
        {"n": 2, "s": None, "f": "high", "b": False, "day": date(2026, 2, 1)},
        {"n": 3, "s": "", "f": "low", "b": None, "day": date(2026, 2, 2)},
    ]


def test_an_error_of_r_keeps_its_words_and_its_process(live):
    child = live.model._process.child
    with pytest.raises(RError, match="no answer to 97"):
        live.model.predict(rows(live, 97))
    assert live.model._process.child == child


@pytest.mark.parametrize("n", [96, 99])
def test_a_crash_is_one_failed_call(live, n):
    with pytest.raises(RCrashed, match="crashed during the call"):
        live.model.predict(rows(live, n))
    assert live.model.predict(live.example)[2]["n"] == 3


def test_a_call_beyond_the_time_limit_is_one_failed_call(live):
    process = live.model._process
    with pytest.raises(RCrashed, match="exceeded the time limit"):
        process.call(encoded(rows(live, 98), live.model.about["columns"])[1], 3, seconds=0.5)
    assert live.model.predict(live.example)[0]["n"] == 1
    assert live.model._process is process


def test_requests_larger_than_a_pipe_are_answered_and_their_crash_too(live):
    many = pd.concat([live.example] * 20_000, ignore_index=True)
    answers = live.model.predict(many)
    assert (len(answers), answers[-1]["n"]) == (60_000, 3)
    with pytest.raises(RCrashed):
        live.model.predict(many.assign(n=np.full(len(many), 99, np.int32)))
    assert live.model.predict(live.example)[0]["n"] == 1


def test_what_an_ended_child_left_is_no_part_of_the_next_request(live):
    live.model.predict(live.example)
    process = live.model._process
    process._await_child()
    message = encoded(live.example, live.model.about["columns"])[1]
    os.write(process._requests, message[: len(message) // 2])
    os.kill(process.child, signal.SIGKILL)
    with pytest.raises(RCrashed, match="crashed"):
        live.model.predict(rows(live, 7))
    assert [answer["n"] for answer in live.model.predict(live.example)] == [1, 2, 3]


def test_r_is_started_again_after_its_own_end(live):
    before = live.model._process
    os.killpg(before._process.pid, signal.SIGKILL)
    before._process.wait(60)
    assert live.model.predict(live.example)[0]["n"] == 1
    assert live.model._process is not before


def test_a_fork_has_an_r_of_its_own(live):
    live.model.predict(live.example)
    mine = live.model._process
    reader, writer = os.pipe()
    fork = os.fork()
    if not fork:
        try:
            answer = live.model.predict(live.example)
            os.write(writer, f"{answer[0]['n']} {live.model._process._process.pid}".encode())
            live.model.close()
        finally:
            os._exit(0)
    os.waitpid(fork, 0)
    n, process = os.read(reader, 100).decode().split()
    assert n == "1"
    assert int(process) != mine._process.pid
    assert live.model.predict(live.example)[0]["n"] == 1
    assert live.model._process is mine


_OWNER = """
import os, pickle, sys
from pathlib import Path
from jupyter_deploy.serving.natives.r import RModel
from jupyter_deploy.serving.r import process
from jupyter_deploy.serving.r.frames import encoded
model = RModel(Path(sys.argv[1]))
frame = pickle.loads(Path(sys.argv[2]).read_bytes())
model.predict(frame)
print(model._process._process.pid, model._process.child, flush=True)
if sys.argv[3] == "hangs":
    message = encoded(frame.assign(n=frame["n"] * 0 + 98), model.about["columns"])[1]
    os.write(model._process._requests, message)
sys.stdin.read()
"""


@pytest.mark.parametrize("state", ["waits", "hangs"])
def test_r_ends_with_the_process_that_started_it(live, folder, state, tmp_path):
    example = tmp_path / "example.pkl"
    live.example.to_pickle(example)
    owner = subprocess.Popen(
        [sys.executable, "-c", _OWNER, folder, example, state],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    parent, child = map(int, owner.stdout.readline().split())
    owner.kill()
    owner.wait()
    until(lambda: not psutil.pid_exists(parent) and not psutil.pid_exists(child))


def test_a_value_that_r_cannot_hold_is_named(live):
    columns = live.model.about["columns"]
    with pytest.raises(InvalidInstances, match=r"instances\.1\.n: is 2147483648"):
        encoded(live.example.assign(n=[1, 1 << 31, 3]), columns)
    with pytest.raises(InvalidInstances, match=r"instances\.0\.f: is 'middle'; the model's levels are 'low', 'high'"):
        encoded(live.example.assign(f=["middle", "low", "high"]), columns)


def test_without_r_the_error_names_it(folder, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(EnvironmentChanged, match=r"R: captured 4.*, not installed; install R"):
        RModel(folder)


def test_another_minor_version_of_r_is_refused(folder):
    about = folder / "model.r.json"
    about.write_text(about.read_text().replace('"version": "4.', '"version": "3.'))
    with pytest.raises(EnvironmentChanged, match=r"R: captured 3.*serve it with the same minor version"):
        RModel(folder)


def test_a_package_that_is_not_installed_is_named(folder):
    change = "s <- readRDS('model.rds'); s$packages$loaded <- list('notHere'); saveRDS(s, 'model.rds')"
    subprocess.run(["Rscript", "--vanilla", "-e", change], cwd=folder, check=True)
    about = json.loads((folder / "model.r.json").read_text())
    about["r"]["packages"]["notHere"] = {"version": "1.2.3", "source": "CRAN"}
    (folder / "model.r.json").write_text(json.dumps(about))
    line = r"R package notHere: captured 1\.2\.3, not installed; install\.packages.* r-cran-nothere"
    with pytest.raises(EnvironmentChanged, match=line):
        RModel(folder)


def test_a_variable_of_its_own_reaches_r(live, folder):
    change = (
        "s <- readRDS('model.rds'); s$model <- function(df) rep(Sys.getenv('TOKEN'), nrow(df)); saveRDS(s, 'model.rds')"
    )
    subprocess.run(["Rscript", "--vanilla", "-e", change], cwd=folder, check=True)
    model = RModel(folder, {"TOKEN": "of mine"})
    assert model.predict(live.example) == ["of mine"] * 3
    model.close()


def test_without_a_folder_for_temporary_files_r_takes_shared_memory_or_is_refused(live, folder, monkeypatch):
    def none():
        raise FileNotFoundError("no usable temporary directory")

    monkeypatch.setattr(process.tempfile, "gettempdir", none)
    model = RModel(folder)
    environment = psutil.Process(model._running()._process.pid).environ()
    model.close()
    assert environment["TMPDIR"] == "/dev/shm"
    monkeypatch.setattr(process, "_SHARED_MEMORY", str(folder / "absent"))
    with pytest.raises(RError, match="writable folder for temporary files: mount one at /tmp"):
        RModel(folder)
