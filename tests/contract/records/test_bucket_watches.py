"""Watches over releases whose records come from a bucket: as at home, each record once, and no record is kept."""

import random
import shutil
import sys
from pathlib import Path

import pytest
from record_world import World

from jupyter_deploy.domain.drift.report import drift_of
from jupyter_deploy.domain.drift.watch import WatchState, reference_of
from jupyter_deploy.domain.errors import StoreError
from jupyter_deploy.drift_detection import bucket_watches
from jupyter_deploy.drift_detection.bucket_watches import BucketWatches
from jupyter_deploy.drift_detection.drift_log import updated
from jupyter_deploy.drift_detection.watch_file import WatchFile
from jupyter_deploy.records.bucket import LOCK, Bucket
from jupyter_deploy.records.bucket_purge import purge_everywhere
from jupyter_deploy.records.compaction import compact_all
from jupyter_deploy.records.purge import PurgeSelection
from jupyter_deploy.records.shipping import Uploads, ship


def first():
    dice = random.Random(1)
    rows = [{"age": dice.gauss(45, 10)} for _ in range(500)]
    return WatchState(reference=reference_of({"inputs": rows}, {"inputs": "training"}))


class Scene(World):
    """A user's home whose records are in a bucket, and the home of a program that only reads it."""

    def __init__(self, folder):
        super().__init__(folder / "home")
        self.url, self.pod = f"file://{folder}/bucket", folder / "pod"
        self.dice, self.number, self.file = random.Random(2), 0, WatchFile(self.pod, "tumour", "aaa")

    def ship(self, count, age=45, day=25):
        """Upload a file of so many records."""
        segment = f"202611{day}T{self.number:06d}-1-a.v1.jsonl"
        for _ in range(count):
            self.record(self.number, "aaa", "stable", segment=segment, inputs=[{"age": self.dice.gauss(age, 10)}])
            self.number += 1
        compact_all(self.home)
        ship(self.home, Uploads(self.url))

    def read(self):
        BucketWatches(self.pod, Bucket(self.url)).read("tumour", "aaa", first())
        assert [path for path in self.pod.rglob("*") if path.suffix in (".parquet", ".jsonl")] == []
        return self.file.load().state

    def metric(self, name):
        lines = self.file.path.with_suffix(".prom").read_text().splitlines()
        (value,) = (line.rpartition(" ")[2] for line in lines if line.partition("{")[0].partition(" ")[0] == name)
        return float(value)


@pytest.fixture
def scene(tmp_path):
    return Scene(tmp_path)


def test_drift_in_a_buckets_records_is_published_as_at_home_and_no_record_is_kept(scene):
    scene.ship(0)
    assert scene.read().requests == 0
    scene.ship(300)
    scene.ship(100, day=26)
    assert scene.read().requests == 400
    assert scene.metric("nbdeploy_drift_alarms_total") == 0
    assert scene.metric("nbdeploy_drift_release_e_value") < 125
    scene.ship(300, age=80, day=26)
    found = scene.read()
    assert scene.metric("nbdeploy_drift_alarms_total") == 1
    assert scene.metric("nbdeploy_drift_clusters_total") == 700
    at_home = updated(scene.home, "tumour", "aaa", first()).state
    assert drift_of(found, "tumour", "aaa") == drift_of(at_home, "tumour", "aaa")


def test_a_file_counts_once_whatever_ends_the_program(scene, monkeypatch):
    scene.ship(50)

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(bucket_watches, "updated", killed)
        with pytest.raises(KeyboardInterrupt):
            BucketWatches(scene.pod, Bucket(scene.url)).read("tumour", "aaa", first())
    assert scene.read().requests == 50
    scene.ship(50)
    with monkeypatch.context() as patched:
        patched.setattr(bucket_watches, "write_atomic", killed)
        with pytest.raises(KeyboardInterrupt):
            BucketWatches(scene.pod, Bucket(scene.url)).read("tumour", "aaa", first())
    assert scene.read().requests == 100
    assert scene.read().requests == 100
    assert scene.metric("nbdeploy_drift_clusters_total") == 100


def test_after_a_purge_the_watch_has_no_purged_request(scene):
    scene.ship(30)
    scene.ship(20, day=26)
    assert scene.read().requests == 50
    selection = PurgeSelection("tumour", request_ids=["r3", "r7"])
    assert purge_everywhere(scene.home, Bucket(scene.url), selection, dry_run=False).records == 2
    assert scene.read().requests == 48
    assert scene.read().requests == 48


def test_after_a_purge_of_a_whole_file_the_watch_has_none_of_its_requests(scene, monkeypatch):
    scene.ship(30)
    scene.ship(20, day=26)
    scene.ship(10, day=27)
    assert scene.read().requests == 60

    def purge(numbers):
        selection = PurgeSelection("tumour", request_ids=[f"r{number}" for number in numbers])
        return purge_everywhere(scene.home, Bucket(scene.url), selection, dry_run=False)

    with monkeypatch.context() as patched:
        patched.setattr(Bucket, "remove", lambda *_: sys.exit("killed"))
        with pytest.raises(SystemExit):
            purge(range(30, 50))
    (Path(scene.url.removeprefix("file://")) / LOCK).unlink()  # it is as old as a killed purge, after a while
    assert scene.read().requests == 60
    assert purge(range(30, 50)).records == 20
    assert scene.read().requests == 40
    assert purge(range(50, 60)).records == 10
    assert scene.read().requests == 30
    assert scene.read().requests == 30


def test_a_bucket_that_was_away_is_not_counted_again(scene):
    scene.ship(30)
    scene.read()
    bucket = scene.home.parent / "bucket"
    away = bucket.rename(bucket.with_suffix(".away"))
    with pytest.raises(StoreError, match="no folder"):
        scene.read()
    assert scene.metric("nbdeploy_drift_clusters_total") == 30
    away.rename(bucket)
    assert scene.read().requests == 30


def test_a_day_that_the_bucket_has_no_more_stays_counted(scene):
    scene.ship(30)
    scene.ship(20, day=26)
    scene.read()
    for day in (scene.home.parent / "bucket").rglob("date=2026-11-25"):
        shutil.rmtree(day)
    assert scene.read().requests == 50
