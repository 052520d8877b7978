"""One batch by several pods over a bucket, as real processes: each row once, whatever is killed, and one commit."""

import json
import os
import signal
import time

import pandas as pd
import psutil
import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq
import pytest

from jupyter_deploy.capture.capturer import ModelCapturer
from jupyter_deploy.domain.capture.artifacts import Tolerance
from jupyter_deploy.serving.batch.sharing import Share, progress_in_words
from jupyter_deploy.serving.batch.sink import Sink
from tests.contract.capturing import capture
from tests.contract.serving.test_batch import Pod, double
from tests.s3 import KEYS, Store

PODS, FILES = 2, 10


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory):
    """A stored snapshot of a function."""
    capturer = ModelCapturer(tmp_path_factory.mktemp("batches"), Tolerance(), replay_timeout=120)
    return capture(capturer, double, {"age": 30, "income": 10.0}, "double")


@pytest.fixture(scope="module")
def store():
    made = Store()
    made.start()
    yield made
    made.end()


class Job:
    """The pods of a Job with indexes, over the files of a folder of a bucket: 10 files of 40 rows."""

    def __init__(self, snapshot, folder, store):
        self.name = folder.name
        self._pods = [Pod(snapshot, folder / str(index)) for index in range(PODS) if (folder / str(index)).mkdir() or 1]
        for index, pod in enumerate(self._pods):
            pod.environment |= store.variables | {"JOB_COMPLETION_INDEX": str(index), "NBDEPLOY_LOG_FORMAT": "json"}
        endpoint = {"endpoint_override": f"127.0.0.1:{store.port}", "scheme": "http", "region": "us-east-1"}
        keys = {"access_key": KEYS["AWS_ACCESS_KEY_ID"], "secret_key": KEYS["AWS_SECRET_ACCESS_KEY"]}
        self.system = pa.fs.S3FileSystem(**endpoint, **keys, allow_bucket_creation=True)
        self.system.create_dir(self.name)
        for part in range(FILES):
            self.put(part)

    def put(self, part, ages=(20,) * 40):
        ids = range(part * 40, part * 40 + 40)
        table = pa.table({"id": ids, "age": pa.array(ages, pa.int64()), "income": [1.0] * 40})
        pq.write_table(table, f"{self.name}/rows/{part}.parquet", filesystem=self.system)

    def start(self, index, *options):
        places = ("--source", f"s3://{self.name}/rows", "--sink", f"s3://{self.name}/scores")
        process = self._pods[index].start(*places, "--pods", PODS, *options)
        return index, process

    def end(self, started):
        """The exit code and the result of a pod."""
        index, process = started
        print(process.communicate()[0].decode())
        return process.returncode, json.loads(self._pods[index].message.read_text())

    def run(self, index, *options):
        return self.end(self.start(index, *options))

    def names(self, folder):
        selector = pa.fs.FileSelector(f"{self.name}/{folder}", allow_not_found=True)
        found = self.system.get_file_info(selector)
        return {one.path: one.mtime_ns for one in found if one.type == pa.fs.FileType.File}

    def staged(self):
        return {name: mtime for name, mtime in self.names("scores/_nbdeploy/staged").items() if name.endswith(".json")}

    def ids(self):
        """The ids of the answers; each once."""
        found = pa.concat_tables(
            pq.read_table(name, filesystem=self.system) for name in self.names("scores") if "/part-" in name
        )
        ids = found["id"].to_pylist()
        assert len(ids) == len(set(ids))
        return sorted(ids)


@pytest.fixture
def job(snapshot, tmp_path, store):
    folder = tmp_path / f"job-{os.urandom(4).hex()}"
    folder.mkdir()
    return Job(snapshot, folder, store)


def test_pods_of_a_run_have_a_share_each_and_one_commits_and_reports_all(job):
    results = [job.end(one) for one in [job.start(0), job.start(1)]]
    assert [code for code, _ in results] == [0, 0]
    by_state = {result["state"]: result for _, result in results}
    assert (by_state["complete"]["rows"], by_state["complete"]["scored"]) == (400, 10)
    if "scored" in by_state:  # else both ended at the same moment, and made one commit
        assert (by_state["scored"]["rows"], by_state["scored"]["partitions"]) == (200, 5)
    assert job.ids() == list(range(400))
    assert not job.staged()


def test_a_killed_pod_starts_again_with_what_it_had_and_a_signal_commits_nothing_while_others_score(job):
    first = job.start(0)
    while not (kept := job.staged()):
        assert first[1].poll() is None, first[1].stdout.read()
    workers = psutil.Process(first[1].pid).children(recursive=True)
    first[1].send_signal(signal.SIGKILL)
    first[1].communicate()
    psutil.wait_procs(workers)  # in a pod all processes end at once
    ended = job.start(1)
    while len(job.staged()) <= len(kept):
        assert ended[1].poll() is None, ended[1].stdout.read()
    ended[1].send_signal(signal.SIGTERM)
    code, result = job.end(ended)
    assert (code, result["state"]) in [(143, "interrupted"), (0, "scored")]
    code, result = job.run(1)
    assert (code, result["state"]) == (0, "scored")
    assert not [name for name in job.names("scores") if "/part-" in name]
    assert kept.items() <= job.staged().items()  # nothing was answered again
    code, result = job.run(0)
    assert (code, result["state"], result["rows"], result["scored"]) == (0, "complete", 400, 10)
    assert job.ids() == list(range(400))
    code, result = job.run(1)  # as after the end of its node
    assert (code, result["state"], result["rows"]) == (0, "complete", 400)


def test_refused_rows_are_judged_over_all_pods_and_files_that_came_meanwhile_are_scored(job):
    for part in range(FILES):
        job.put(part, ages=[None] + [20] * 39)
    code, result = job.run(0, "--max-errors", "6")
    assert (code, result["state"], result["refused"]) == (0, "scored", 5)
    job.put(FILES, ages=[None] + [20] * 39)  # the other pod lists the source at another moment
    for _ in range(2):
        code, result = job.run(1, "--max-errors", "6")
        assert (code, result["rows"], result["refused"]) == (1, 440, 11)
    assert job.ids() == [one for one in range(440) if one % 40]


def test_several_pods_without_an_index_say_what_the_cluster_lacks(job):
    del job._pods[0].environment["JOB_COMPLETION_INDEX"]
    code, result = job.run(0)
    assert (code, result["final"]) == (1, True)
    assert "Indexed Jobs" in result["problem"]


def plan(sizes, committed=(), staged=()):
    partitions = [{"key": key, "bytes": size} for key, size in sizes.items()]
    return {"partitions": partitions, "committed": dict(committed), "staged": dict(staged)}


def test_partitions_are_dealt_by_bytes_and_a_pod_that_starts_again_has_the_same_share():
    sizes = {"a": 10, "b": 9, "c": 4, "d": 4, "e": 1, "old": 100, "resumed": 100}
    before = {"committed": {"old": {}}, "staged": {"resumed": {"run": "an-earlier-one"}}}
    shares = [{one["key"] for one in Share(index, 2).of(plan(sizes, **before), "now")} for index in range(2)]
    assert shares == [{"a", "d"}, {"b", "c", "e"}]
    later = {"committed": {"old": {}, "a": {"run": "now"}}, "staged": {**before["staged"], "b": {"run": "now"}}}
    assert shares == [{one["key"] for one in Share(index, 2).of(plan(sizes, **later), "now")} for index in range(2)]
    assert [len(Share(index, 5).of(plan({"a": 0, "b": 0}), "now")) for index in range(5)] == [1, 1, 0, 0, 0]


def test_the_progress_of_pods_is_their_sum():
    pod = {"finished": 1, "partitions": 4, "rows": 1000, "rate": 50.0, "left": 30.0, "refused": 1}
    assert progress_in_words([pod]) == "1 of 4 partitions, 1,000 rows, 50 a second, 30 s left, 1 refused"
    slow = pod | {"left": None, "refused": 0}
    assert progress_in_words([pod, slow]) == (
        "2 of 8 partitions, 2,000 rows, 100 a second, 30 s left, 1 refused, by 2 pods"
    )


@pytest.mark.parametrize("moment", range(1, 13))
def test_two_pods_that_commit_at_the_same_moment_make_one_commit(tmp_path, monkeypatch, moment):
    """The second one makes the whole commit before one of the first one's steps."""
    first, second = Sink(str(tmp_path), ".parquet"), Sink(str(tmp_path), ".parquet")
    first.prepare()
    for key in ("a", "b"):
        pq.write_table(pa.table({"id": [ord(key)]}), first.path_of(key))
        first.stage({"key": key, "source": key, "suffix": ".parquet"})
    steps = []

    def interleaved(name):
        step = getattr(Sink, name)

        def call(self, *arguments, **options):
            if self is first:
                steps.append(name)
                if len(steps) == moment:
                    second.commit(["a", "b"], ["a", "b"])
            return step(self, *arguments, **options)

        return call

    for name in ("_read", "_write", "_rename", "_remove", "_is_file"):
        monkeypatch.setattr(Sink, name, interleaved(name))
    first.commit(["a", "b"], ["a", "b"])
    assert len(steps) >= moment
    monkeypatch.undo()
    assert set(second.committed()) == {"a", "b"}
    assert not second.staged()
    assert sorted(pd.read_parquet(one)["id"][0] for one in tmp_path.glob("part-*")) == [ord("a"), ord("b")]
    assert not (tmp_path / "_nbdeploy" / "commit.json").exists()


def test_a_file_that_another_pod_moves_in_this_moment_is_no_fault(tmp_path):
    sink = Sink(str(tmp_path), ".parquet")
    sink.prepare()
    (tmp_path / "old").write_text("")

    class Slow:
        def __init__(self, system):
            self.system = system

        def move(self, old, new):
            (tmp_path / "old").rename(tmp_path / "new")
            self.system.move(old, new)

        def __getattr__(self, name):
            return getattr(self.system, name)

    sink.system = Slow(sink.system)
    sink._rename("old", "new")
    assert (tmp_path / "new").exists()


def test_the_notes_of_pods_are_removed_after_a_week(tmp_path):
    sink = Sink(str(tmp_path), ".parquet")
    sink.prepare()
    assert sink.mark("earlier", 1) == [1]
    assert sink.mark("earlier", 0) == [0, 1]
    sink.mark("now", 0)
    old = time.time() - 8 * 24 * 3600
    for index in ("0", "1"):
        os.utime(tmp_path / "_nbdeploy" / "runs" / "earlier" / index, (old, old))
    sink.forget_runs()
    assert [one.name for one in (tmp_path / "_nbdeploy" / "runs").iterdir()] == ["now"]
