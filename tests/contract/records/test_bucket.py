"""Records in a bucket, in a shared folder and in S3: uploaded as they come, mirrored, purged; nothing is lost."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from jupyter_deploy.comparison.record_log import RecordLog
from jupyter_deploy.container_images.archivist import _environment as distributions
from jupyter_deploy.container_images.archivist import sources
from jupyter_deploy.domain.errors import StoreError
from jupyter_deploy.records.bucket import LOCK, Bucket
from jupyter_deploy.records.compaction import compact_all
from jupyter_deploy.records.ground_truth import RecordedGroundTruth
from jupyter_deploy.records.retention import Limits, clear, scopes
from jupyter_deploy.records.segments import maintenance_lock
from jupyter_deploy.records.shipping import BucketOfHome, Uploads, ship
from jupyter_deploy.serving.telemetry.records import Entry, Recorder
from tests.s3 import KEYS, Store


@pytest.fixture(scope="module")
def s3():
    store = Store()
    store.start()
    yield store
    store.end()


@pytest.fixture(params=["folder", "s3"])
def url(request, tmp_path, monkeypatch):
    """An empty bucket."""
    if request.param == "folder":
        return f"file://{tmp_path}/shared"
    for name, value in request.getfixturevalue("s3").variables.items():
        monkeypatch.setenv(name, value)
    import s3fs

    name = f"bucket-{time.time_ns()}"
    s3fs.S3FileSystem(skip_instance_cache=True).mkdir(name)
    return f"s3://{name}/records"


def record(number, **fields):
    ids = {"request_id": f"r{number}", "pair_id": f"p{number}"}
    return Entry(**ids, ts_ns=time.time_ns(), role="stable", status=200, latency_ms=1.0, rows=1, **fields)


def recorder(home, version="aaa"):
    folder = home / "records" / "tumour" / version
    folder.mkdir(parents=True, exist_ok=True)
    return Recorder(folder, "tumour", f"tumour:{version}")


def write(home, *numbers, version="aaa"):
    """A closed and compacted segment."""
    made = recorder(home, version)
    for number in numbers:
        made.write_all([record(number, inputs=[number], outputs=[number])])
    made.close()
    assert compact_all(home) == []


def reader(home, url):
    return RecordLog(home, bucket=BucketOfHome(home, url, seconds=0))


def ids(log):
    return sorted(record.request_id for record in log.records("tumour"))


def files(url):
    return sorted(Bucket(url).find("records"))


def test_what_a_pod_records_is_in_the_bucket_in_time_and_the_last_of_it_after_its_end(url, tmp_path):
    pod, mine = tmp_path / "pod", tmp_path / "mine"
    release = recorder(pod)
    command = [sys.executable, "-m", "jupyter_deploy.records.archivist", str(pod), "--max-bytes", "100000000"]
    command += ["--to", url, "--close-after", "1", "--every", "0.2", "--spool"]
    shipper = subprocess.Popen(command)
    release.write_all([record(number) for number in range(5)])
    while not files(url):
        time.sleep(0.1)
    log = reader(mine, url)
    assert ids(log) == [f"r{number}" for number in range(5)]
    shipper.send_signal(signal.SIGTERM)
    time.sleep(1.5)  # it must not end before the release, which has no open segment now
    assert shipper.poll() is None
    release.write_all([record(number) for number in range(5, 8)])
    release.close()
    assert shipper.wait(60) == 0
    assert ids(log) == [f"r{number}" for number in range(8)]
    assert not list(pod.rglob("*.parquet"))
    assert all("endpoint=tumour/release=aaa/date=" in place for place in files(url))


def uploading(pod, url, *, seconds):
    """The program of a Job's pod."""
    command = [sys.executable, "-m", "jupyter_deploy.records.archivist", str(pod), "--max-bytes", "100000000"]
    command += ["--to", url, "--spool", "--for-job", str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("begins_first", [True, False])
def test_after_a_job_the_upload_ends_by_itself(url, tmp_path, begins_first):
    pod = tmp_path / "pod"
    pod.mkdir()
    shipper = uploading(pod, url, seconds=300) if begins_first else None
    job = recorder(pod)
    if shipper:
        time.sleep(3)  # longer than a few looks: while the job lives, it must not end
        assert shipper.poll() is None
    job.write_all([record(number) for number in range(3)])
    job.close()
    shipper = shipper or uploading(pod, url, seconds=300)
    assert shipper.wait(60) == 0
    assert ids(reader(tmp_path / "mine", url)) == ["r0", "r1", "r2"]


def test_without_a_writer_or_a_bucket_the_upload_after_a_job_ends_too(tmp_path):
    (tmp_path / "none").mkdir()
    assert uploading(tmp_path / "none", f"file://{tmp_path}/shared", seconds=1).wait(60) == 0
    pod = tmp_path / "pod"
    write(pod, 1)
    (tmp_path / "a-file").write_text("no folder")
    away = uploading(pod, f"file://{tmp_path}/a-file/records", seconds=1)
    output = away.communicate(timeout=60)[0]
    assert away.returncode == 0
    assert "records are lost: they could not be uploaded within 1 s after the job" in output


def test_two_homes_see_each_others_records_and_feedback_and_what_limits_removed_stays_away(url, tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    write(one, 1, 2)
    write(other, 3, version="bbb")
    posted = other / "feedback" / "tumour" / "20261201T101500-1-0badcafe.v1.jsonl"
    posted.parent.mkdir(parents=True)
    line = {"ts": datetime.now(UTC).isoformat(), "item": 0, "endpoint": "tumour", "request_id": "r3", "row": 0}
    posted.write_text(json.dumps(line | {"actual": 7}) + "\n" + '{"torn')
    assert compact_all(other) == []
    assert (ship(one, Uploads(url)), ship(other, Uploads(url)), ship(other, Uploads(url))) == (1, 3, 0)
    assert ids(reader(one, url)) == ids(reader(other, url)) == ["r1", "r2", "r3"]
    assert RecordedGroundTruth(one, BucketOfHome(one, url)).counts("tumour").posted == 1
    assert len(list((one / "feedback").rglob("*.rejected"))) == 1
    with maintenance_lock(one):
        removed = [line for scope in scopes(one) for line in clear(scope, Limits(0))]
    assert removed
    assert ids(reader(one, url)) == []
    assert ids(reader(other, url)) == ["r1", "r2", "r3"]


def test_a_purge_reaches_the_bucket_files_that_this_home_has_no_more_and_the_homes_of_others(url, tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    write(one, 1, 2)
    write(one, 3)
    write(one, 4)
    ship(one, Uploads(url))
    assert ids(reader(other, url)) == ["r1", "r2", "r3", "r4"]
    with maintenance_lock(one):
        assert [line for scope in scopes(one) for line in clear(scope, Limits(0))]
    write(one, 5, 6)
    log = reader(one, url)
    given = {"before": None, "request_ids": ["r1", "r3", "r5"]}
    assert log.purge("tumour", dry_run=True, **given).records == 3
    assert log.purge("tumour", dry_run=False, **given).records == 3
    assert log.purge("tumour", dry_run=False, **given).records == 0
    assert ids(log) == ["r6"]
    ship(one, Uploads(url))
    assert ids(reader(other, url)) == ["r2", "r4", "r6"]
    assert ids(reader(tmp_path / "third", url)) == ["r2", "r4", "r6"]
    assert LOCK not in Bucket(url).find("")
    log.delete("tumour")
    assert files(url) == []
    assert ids(reader(other, url)) == []


def test_two_purges_of_a_bucket_follow_each_other_and_a_killed_one_does_not_lock_it_for_ever(
    url, tmp_path, monkeypatch
):
    write(tmp_path, 1, 2)
    ship(tmp_path, Uploads(url))
    bucket = Bucket(url)
    monkeypatch.setattr("jupyter_deploy.records.bucket._LOCK_WAIT_SECONDS", 0.2)
    with bucket.locked(), pytest.raises(StoreError, match=r"another purge of .* runs"):
        reader(tmp_path, url).purge("tumour", before=None, request_ids=["r1"], dry_run=False)
    note = tmp_path / "lock"
    note.write_text(json.dumps({"at": time.time() - 3600}))
    bucket.put(note, LOCK)
    monkeypatch.setattr("jupyter_deploy.records.bucket._LOCK_WAIT_SECONDS", 60.0)
    reader(tmp_path, url).purge("tumour", before=None, request_ids=["r1"], dry_run=False)
    assert ids(reader(tmp_path / "other", url)) == ["r2"]


def test_a_long_purge_renews_its_lock(url, tmp_path, monkeypatch):
    monkeypatch.setattr("jupyter_deploy.records.bucket._RENEW_SECONDS", 0.05)
    bucket, seen = Bucket(url), set()
    with bucket.locked():
        while len(seen) < 2:
            assert bucket.get(LOCK, tmp_path / "lock")
            seen.add((tmp_path / "lock").read_text())
            time.sleep(0.05)
    assert LOCK not in bucket.find("")


def test_while_the_bucket_is_away_a_spool_is_bounded_its_losses_are_counted_and_the_rest_arrives(tmp_path, monkeypatch):
    store = Store()
    store.start()
    for name, value in {**KEYS, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{store.port}"}.items():
        monkeypatch.setenv(name, value)
    import s3fs

    s3fs.S3FileSystem(skip_instance_cache=True).mkdir("bucket")
    store.end()
    pod, url = tmp_path / "pod", "s3://bucket/records"
    for number in range(4):
        write(pod, number)
        time.sleep(0.01)
    sizes = [path.stat().st_size for path in pod.rglob("*.parquet")]
    command = [sys.executable, "-m", "jupyter_deploy.records.archivist", str(pod), "--to", url, "--spool", "--once"]
    command += ["--max-bytes", str(sum(sizes) - 1)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
    assert (ended.returncode, len(list(pod.rglob("*.parquet")))) == (1, 3), ended.stdout + ended.stderr
    assert f"{url} cannot be used" in ended.stdout
    with pytest.raises(StoreError, match=f"{url} cannot be used"):
        ids(reader(tmp_path / "mine", url))
    store.start()
    s3fs.S3FileSystem(skip_instance_cache=True).mkdir("bucket")  # its content was in its memory
    subprocess.run(command, check=True)
    assert ids(reader(tmp_path / "mine", url)) == ["r1", "r2", "r3"]
    (lost,) = Bucket(url).find("dropped")
    assert Bucket(url).get(lost, tmp_path / "lost")
    assert json.loads(Path(tmp_path / "lost").read_text())["count"] == 1
    store.end()


def test_the_image_of_the_programs_has_all_that_they_import(tmp_path):
    for entry in sources("3.11"):
        path = tmp_path / entry.name.partition("site-packages/")[2]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(entry.source if isinstance(entry.source, bytes) else entry.source.read_bytes())
    home = tmp_path / "home"
    write(home, 1)
    (home / "records" / "tumour" / "bbb").mkdir()
    (home / "records" / "tumour" / "bbb" / "20261201T101500-1-0badcafe.v1.jsonl").write_text('{"torn')
    command = [sys.executable, "-P", "-m", "jupyter_deploy.records.archivist", str(home), "--max-bytes", "1000000"]
    command += ["--to", f"file://{tmp_path}/bucket", "--spool", "--once"]
    subprocess.run(command, check=True, cwd=tmp_path, env={"PYTHONPATH": str(tmp_path), "PATH": os.environ["PATH"]})
    assert len(list((tmp_path / "bucket").rglob("*.parquet"))) == 2
    modules = """
import importlib.metadata, pkgutil, sys, jupyter_deploy
assert importlib.metadata.version("nbdeploy") == jupyter_deploy.__version__
for module in pkgutil.walk_packages(jupyter_deploy.__path__, "jupyter_deploy."):
    importlib.import_module(module.name)
print(*{m.__file__ for name, m in sys.modules.items() if name.startswith("jupyter_deploy") and m.__file__}, sep="\\n")
"""
    command = [sys.executable, "-P", "-c", modules]
    environment = {"PYTHONPATH": str(tmp_path), "PATH": os.environ["PATH"]}
    output = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, cwd=tmp_path, env=environment
    ).stdout
    imported = output.splitlines()
    assert len(imported) > 100
    assert all(file.startswith(str(tmp_path)) for file in imported)


def test_the_image_of_the_programs_has_the_distributions_that_they_import():
    programs = """
import importlib.metadata, json, sys
has = set(json.loads(sys.argv[1]))
owners = importlib.metadata.packages_distributions()
class Image:
    def find_spec(self, name, path=None, target=None):
        found = {owner.lower().replace("_", "-") for owner in owners.get(name.partition(".")[0], ())}
        if found and not found & has:
            raise ModuleNotFoundError(f"the image lacks {name}")
sys.meta_path.insert(0, Image())
import jupyter_deploy.faces.ramp_driver, jupyter_deploy.records.archivist
import jupyter_deploy.domain.release.endpoint, jupyter_deploy.verbs.ramp_look
"""
    has = [name.lower().replace("_", "-") for name in (*distributions("s3://records").distributions, "nbdeploy")]
    command = [sys.executable, "-P", "-c", programs, json.dumps(has)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert ended.returncode == 0, ended.stderr
