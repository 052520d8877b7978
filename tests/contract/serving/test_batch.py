"""Batches by real worker processes: each row once, whatever is killed."""

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest

from jupyter_deploy.batch_scoring.runner import WorkerBatches
from jupyter_deploy.capture.capturer import ModelCapturer
from jupyter_deploy.domain.batch import spec
from jupyter_deploy.domain.batch.ports import BatchJob
from jupyter_deploy.domain.capture.artifacts import Tolerance
from jupyter_deploy.domain.errors import InvalidInput, TargetError
from jupyter_deploy.serving.batch.job import allows
from jupyter_deploy.system.clean_process import copy_serving
from tests.contract.capturing import capture

SECRET_OF_A_ROW = 13


def double(age: int, income: float) -> float:
    """A model that needs no library."""
    if age == SECRET_OF_A_ROW:
        raise ValueError("an unlucky age")
    return age * 2 + income


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory):
    """A stored snapshot of a function."""
    capturer = ModelCapturer(tmp_path_factory.mktemp("batches"), Tolerance(), replay_timeout=120)
    return capture(capturer, double, {"age": 30, "income": 10.0}, "double")


@pytest.fixture
def files(tmp_path):
    """Two Parquet files of 3 row groups each, 300 rows a file."""
    folder = tmp_path / "source"
    folder.mkdir()
    for day in (1, 2):
        frame = pd.DataFrame({"id": range(day * 1000, day * 1000 + 300), "age": [20] * 300, "income": np.arange(300.0)})
        pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), folder / f"{day}.parquet", row_group_size=100)
    return folder


def run(snapshot, source, sink, *, workers=1, rows=100, kind="parquet", report=lambda _: None, dry_run=False):
    job = BatchJob(source=str(source), sink=str(sink), keep=("id",), format=kind, workers=workers, rows=rows)
    return WorkerBatches().run(snapshot, job, report, dry_run=dry_run)


def answers(sink):
    """The answers in a sink by id; each id once."""
    table = pa.dataset.dataset(sink).to_table().to_pandas()
    assert table["id"].is_unique
    return table.set_index("id")["prediction"].sort_index()


EXPECTED = pd.Series(
    np.concatenate([40 + np.arange(300.0)] * 2),
    index=pd.Index([*range(1000, 1300), *range(2000, 2300)], name="id"),
    name="prediction",
)


def test_each_row_is_answered_once_and_a_second_run_does_nothing(snapshot, files, tmp_path):
    sink = tmp_path / "sink"
    planned = run(snapshot, files, sink, dry_run=True)
    assert (planned["state"], planned["partitions"], planned["scored"]) == ("planned", 6, 0)
    assert not sink.exists()
    first = run(snapshot, files, sink, workers=2)
    assert (first["state"], first["scored"], first["rows"], first["refused"]) == ("complete", 6, 600, 0)
    pd.testing.assert_series_equal(answers(sink), EXPECTED)
    written = {path: path.stat().st_mtime_ns for path in sink.rglob("part-*")}
    again = run(snapshot, files, sink)
    assert (again["already"], again["scored"], again["rows"]) == (6, 0, 0)
    assert {path: path.stat().st_mtime_ns for path in sink.rglob("part-*")} == written


def test_a_changed_file_is_scored_again_and_its_answers_are_replaced(snapshot, files, tmp_path):
    sink = tmp_path / "sink"
    run(snapshot, files, sink)
    changed = pd.DataFrame({"id": range(1000, 1300), "age": [21] * 300, "income": np.arange(300.0)})
    pq.write_table(pa.Table.from_pandas(changed, preserve_index=False), files / "1.parquet", row_group_size=100)
    pq.write_table(pq.read_table(files / "2.parquet").slice(0, 5), files / "3.parquet")
    result = run(snapshot, f"{files}/[13].parquet", sink)
    assert (result["partitions"], result["scored"], result["replaced"]) == (4, 4, 3)
    found = pa.dataset.dataset(sink).to_table().to_pandas()
    assert len(found) == 605
    assert (found[found["id"] < 2000].set_index("id")["prediction"].sort_index() == 42 + np.arange(300.0)).all()


def test_a_file_with_other_row_groups_has_each_answer_once(snapshot, files, tmp_path):
    sink = tmp_path / "sink"
    run(snapshot, files / "1.parquet", sink)
    pq.write_table(pq.read_table(files / "1.parquet"), files / "1.parquet", row_group_size=150)
    result = run(snapshot, files / "1.parquet", sink, rows=150)
    assert (result["scored"], result["replaced"]) == (2, 3)
    pd.testing.assert_series_equal(answers(sink), EXPECTED[:300])


def test_another_format_leaves_no_file_of_the_former(snapshot, files, tmp_path):
    sink = tmp_path / "sink"
    run(snapshot, files / "1.parquet", sink)
    run(snapshot, files / "1.parquet", sink, kind="csv")
    assert {path.suffix for path in sink.glob("part-*")} == {".csv"}


def test_refused_rows_are_kept_apart_with_their_reason(snapshot, tmp_path):
    frame = pd.DataFrame({"id": range(100), "age": [20] * 100, "income": np.arange(100.0)})
    frame.loc[[3, 50, 77], "income"] = np.nan
    frame.loc[9, "age"] = SECRET_OF_A_ROW
    frame.to_csv(tmp_path / "people.csv", index=False)
    sink = tmp_path / "sink"
    result = run(snapshot, tmp_path / "people.csv", sink, kind="csv")
    assert (result["rows"], result["refused"]) == (100, 4)
    (null, raised) = result["reasons"].items()
    assert null[0].startswith("income: must be a number, not null")
    assert (null[1], raised) == (3, ("ValueError: an unlucky age", 1))
    (good,) = sink.glob("part-*.csv")
    assert pa.csv.read_csv(good)["id"].to_pylist() == [i for i in range(100) if i not in (3, 9, 50, 77)]
    (bad,) = (sink / "_errors").glob("*.csv")
    assert sorted(pa.csv.read_csv(bad)["id"].to_pylist()) == [3, 9, 50, 77]


def test_many_refused_rows_do_not_hide_the_others(snapshot, tmp_path):
    ages = [20 if i % 7 == 0 else None for i in range(700)]
    table = pa.table({"id": range(700), "age": pa.array(ages, pa.int64()), "income": [1.0] * 700})
    pq.write_table(table, tmp_path / "people.parquet")
    result = run(snapshot, tmp_path / "people.parquet", tmp_path / "sink", rows=1000)
    assert (result["rows"], result["refused"]) == (700, 600)
    assert list(answers(tmp_path / "sink").index) == list(range(0, 700, 7))


def test_a_model_that_always_raises_ends_the_batch(snapshot, tmp_path):
    table = pa.table({"id": range(3000), "age": [SECRET_OF_A_ROW] * 3000, "income": [1.0] * 3000})
    pq.write_table(table, tmp_path / "people.parquet")
    with pytest.raises(TargetError, match="more than 1000 rows, at last: ValueError: an unlucky age"):
        run(snapshot, tmp_path / "people.parquet", tmp_path / "sink", rows=10_000)
    assert not list((tmp_path / "sink").glob("part-*"))


@pytest.mark.usefixtures("own_processes")
def test_a_worker_that_is_killed_loses_no_finished_partition(snapshot, files, tmp_path):
    source, sink = tmp_path / "many", tmp_path / "sink"
    source.mkdir()
    for day in (1, 2):  # 120 partitions: the last ones are not answered when the kill comes
        pq.write_table(pq.read_table(files / f"{day}.parquet"), source / f"{day}.parquet", row_group_size=5)
    staged = sink / "_nbdeploy" / "staged"
    killed = threading.Event()

    def kill_after_two():
        while not killed.is_set():
            if len(list(staged.glob("*.json"))) >= 2:
                killed.set()
                for pid in workers_of(os.getpid()):
                    os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill_after_two)
    killer.start()
    with pytest.raises(TargetError, match="ended before its answer"):
        run(snapshot, source, sink, rows=5)
    killer.join()
    assert not list(sink.glob("part-*"))
    kept = {path: path.stat().st_mtime_ns for path in staged.glob("*.json")}
    assert 2 <= len(kept) < 120
    result = run(snapshot, source, sink, rows=5)
    assert result["rows"] == 600
    pd.testing.assert_series_equal(answers(sink), EXPECTED)


def workers_of(parent):
    """The children of a process that are workers of a batch."""
    found = []
    for child in psutil.Process(parent).children():
        with suppress(psutil.Error):  # another one may end just now
            found += [child.pid] if any("serving.batch.worker" in word for word in child.cmdline()) else []
    return found


def test_a_commit_that_was_killed_is_completed(snapshot, files, tmp_path, monkeypatch):
    from jupyter_deploy.serving.batch.sink import Sink

    sink = tmp_path / "sink"
    run(snapshot, files / "1.parquet", sink)
    made = Sink(str(sink), ".parquet")
    moves = []

    def stop_at_the_second(self, old, new):
        if len(moves) == 1:
            raise KeyboardInterrupt
        moves.append(old)
        (sink / old).rename(sink / new)

    monkeypatch.setattr(Sink, "_rename", stop_at_the_second)
    monkeypatch.setattr(Sink, "prepare", lambda self: None)
    for key in ("a", "b"):
        pq.write_table(pa.table({"id": [ord(key)], "prediction": [1.0]}), made.path_of(key))
        made.stage(
            {
                "key": key,
                "source": key,
                "row_groups": None,
                "suffix": ".parquet",
                "rows": 1,
                "refused": 0,
                "reasons": {},
            }
        )
    with pytest.raises(KeyboardInterrupt):
        made.commit(["a", "b"], ["a", "b"])
    monkeypatch.undo()
    made.prepare()
    assert {"a", "b"} < set(made.committed())
    assert len(answers(sink)) == 302


@pytest.mark.parametrize(
    ("name", "message"),
    [("nothing.parquet", "there is no file"), ("*.txt", "there is no file"), ("people.xlsx", "none of the endings")],
)
def test_a_source_that_cannot_be_read_is_named(snapshot, tmp_path, name, message):
    (tmp_path / "people.xlsx").write_bytes(b"")
    with pytest.raises(InvalidInput, match=message):
        run(snapshot, tmp_path / name, tmp_path / "sink")
    assert not (tmp_path / "sink").exists()


def test_a_missing_column_is_told_before_any_row(snapshot, tmp_path):
    pq.write_table(pa.table({"id": [1], "age": [20]}), tmp_path / "people.parquet")
    with pytest.raises(InvalidInput, match="has no column 'income'"):
        run(snapshot, tmp_path / "people.parquet", tmp_path / "sink")


@pytest.mark.parametrize("kind", ["arrow", "jsonl"])
def test_other_formats_are_written_and_read(snapshot, files, tmp_path, kind):
    run(snapshot, files / "1.parquet", tmp_path / "first", kind=kind)
    (tmp_path / "next").mkdir()
    for number, path in enumerate(sorted((tmp_path / "first").glob(f"part-*.{kind}"))):
        frame = pd.read_json(path, lines=True) if kind == "jsonl" else pd.read_feather(path)
        frame = frame.rename(columns={"prediction": "income"}).assign(age=1)
        (frame.to_json if kind == "jsonl" else frame.to_feather)(
            tmp_path / "next" / f"{number}.{kind}", **({"orient": "records", "lines": True} if kind == "jsonl" else {})
        )
    result = run(snapshot, tmp_path / "next", tmp_path / "second")
    assert (result["rows"], result["refused"]) == (300, 0)
    assert list(answers(tmp_path / "second")) == list(42 + np.arange(300.0))


class Pod:
    """The program of an image, with the variables and the file that a pod has; each call is one pod of a Job."""

    def __init__(self, snapshot, folder):
        self.program = copy_serving(folder) / "container.py"
        self.message = folder / "termination-log"
        self.arguments = ["--snapshot", f"{snapshot.tag}@{snapshot.digest}", "--keep", "id"]
        self.environment = os.environ | {
            "BENTOML_HOME": str(Path(snapshot.path).parents[2]),
            "NBDEPLOY_TERMINATION_LOG": str(self.message),
            "NBDEPLOY_RUN": "a-job",
        }

    def start(self, *arguments):
        self.message.write_text("")
        command = [sys.executable, "-P", self.program, "batch", *self.arguments, *map(str, arguments)]
        return subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def run(self, *arguments):
        """The exit code and the result."""
        process = self.start(*arguments)
        output = process.communicate()[0].decode()
        print(output)
        return process.returncode, json.loads(self.message.read_text())


@pytest.fixture
def pod(snapshot, tmp_path):
    (tmp_path / "image").mkdir()
    return Pod(snapshot, tmp_path / "image")


@pytest.fixture
def many(files, tmp_path):
    """The rows of ``files`` in 60 files, each a partition."""
    folder = tmp_path / "many"
    folder.mkdir()
    for day in (1, 2):
        table = pq.read_table(files / f"{day}.parquet")
        for part in range(30):
            pq.write_table(table.slice(part * 10, 10), folder / f"{day}-{part}.parquet")
    return folder


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "ended"])
def test_a_job_in_an_image_goes_on_after_a_kill_and_reports_all_of_its_run(pod, many, tmp_path, number):
    sink = tmp_path / "sink"
    process = pod.start("--source", many, "--sink", sink, "--workers", 2)
    staged = sink / "_nbdeploy" / "staged"
    while len(list(staged.glob("*.json"))) < 2:
        assert process.poll() is None, process.stdout.read()
    workers = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(number)
    process.communicate()
    psutil.wait_procs(workers)  # in a pod all processes end at once
    if number == signal.SIGTERM:  # what was whole is committed
        assert process.returncode == 143
        assert json.loads(pod.message.read_text())["state"] == "interrupted"
        assert len(list(sink.glob("part-*"))) >= 2
    assert len(list(sink.glob("part-*"))) < 60
    code, result = pod.run("--source", many, "--sink", sink)
    assert code == 0
    assert (result["state"], result["rows"], result["already"], result["scored"]) == ("complete", 600, 0, 60)
    pd.testing.assert_series_equal(answers(sink), EXPECTED)
    pod.environment["NBDEPLOY_RUN"] = "the-next-job"
    code, result = pod.run("--source", many, "--sink", sink)
    assert (code, result["rows"], result["already"]) == (0, 0, 60)


def test_too_many_refused_rows_fail_each_pod_of_a_job(pod, tmp_path):
    table = pa.table({"id": range(10), "age": pa.array([None] + [20] * 9, pa.int64()), "income": [1.0] * 10})
    pq.write_table(table, tmp_path / "people.parquet")
    places = ("--source", tmp_path / "people.parquet", "--sink", tmp_path / "sink")
    for _ in range(2):  # Kubernetes starts another pod, which must not make the Job a success
        code, result = pod.run(*places)
        assert (code, result["rows"], result["refused"]) == (1, 10, 1)
        assert "age" in next(iter(result["reasons"]))
    assert pod.run(*places, "--max-errors", "10%")[0] == 0


def test_a_job_of_a_model_with_redacted_columns_quotes_no_value_of_theirs(pod, tmp_path):
    pod.environment["NBDEPLOY_REDACT"] = "age"
    table = pa.table({"id": range(20), "age": [SECRET_OF_A_ROW] + [20] * 19, "income": [1.0] * 20})
    pq.write_table(table, tmp_path / "people.parquet")
    code, result = pod.run("--source", tmp_path / "people.parquet", "--sink", tmp_path / "sink")
    assert (code, result["refused"]) == (1, 1)
    assert "reasons" not in result
    unlucky = pa.table({"id": range(3000), "age": [SECRET_OF_A_ROW] * 3000, "income": [1.0] * 3000})
    pq.write_table(unlucky, tmp_path / "people.parquet")
    process = pod.start("--source", tmp_path / "people.parquet", "--sink", tmp_path / "sink")
    assert b"unlucky" not in process.communicate()[0]
    assert json.loads(pod.message.read_text())["problem"].startswith("ModelFailed: its words may quote")


def test_a_job_records_a_sample_as_the_endpoint_does_while_it_holds_the_lock_of_writers(pod, files, tmp_path):
    folder = tmp_path / "records"
    folder.mkdir()
    pod.environment |= {"NBDEPLOY_RECORDS": str(folder), "NBDEPLOY_ENDPOINT": "double"}
    places = ("--source", files, "--sink", tmp_path / "sink")
    assert pod.run(*places, "--record", "full;redact=age", "--role", "shadow")[0] == 0
    assert (folder / ".writers").exists()
    (segment,) = folder.glob("*.jsonl")
    records = [json.loads(line) for line in segment.read_text().splitlines()]
    assert sum(one["rows"] for one in records) == 600
    assert {(one["endpoint"], one["role"], tuple(one["inputs"][0])) for one in records} == {
        ("double", "shadow", ("income",))
    }


def test_a_job_names_what_no_further_try_would_change(pod, tmp_path):
    code, result = pod.run("--source", tmp_path / "nothing", "--sink", tmp_path / "sink")
    assert (code, result["final"]) == (1, True)
    assert "there is no file" in result["problem"]
    pod.arguments[1] = f"{pod.arguments[1][:-1]}x"
    code, result = pod.run("--source", tmp_path, "--sink", tmp_path / "sink")
    assert (code, result["final"]) == (1, True)
    assert result["problem"].startswith("SnapshotChanged")


@pytest.mark.parametrize(
    ("most", "refused", "rows"), [("0", 0, 0), ("0", 1, 9), ("3", 3, 4), ("1%", 1, 100), ("1%", 2, 100)]
)
def test_an_image_judges_refused_rows_as_the_verb_does(most, refused, rows):
    assert allows(most, refused, rows) == spec.allows(most, refused, rows)
