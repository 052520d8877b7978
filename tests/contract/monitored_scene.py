"""An endpoint with a watched release, for the tests of the Monitor."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta

import record_world
from record_scene import scene_of, settings

from jupyter_deploy.domain.drift.watch import WatchState, reference_of
from jupyter_deploy.drift_detection.watch_file import WatchFile, beginning
from tests import manifests
from tests.releases import release

__all__ = ["settings"]


class Monitored:
    """An endpoint whose requests begin two hours ago, one each ten seconds; stable is watched."""

    def __init__(self, settings, answers=("no", "yes"), **more):
        self.scene = scene_of(settings, release("aaa"), release("bbb"), **more)
        for version in ("aaa", "bbb"):
            self.scene.ports.store.remember(manifests.snapshot(f"tumour:{version}", answers=answers))
        self.home, self.dice, self.number = settings.home, random.Random(1), 0
        rows = [{"age": self.dice.gauss(45, 10)} for _ in range(1_000)]
        file = WatchFile(self.home, "tumour", "aaa")
        with file.locked():
            known = reference_of({"inputs": rows, "answers": ["x", "y"] * 500}, {"inputs": "training"})
            file.save(beginning(WatchState(reference=known)))

    def send(self, count, age=45.0, status=200, answers="xy"):
        """Record requests, each time in a segment of its own: one that was read to its end is not read again."""
        segment = f"{self.number + 1}-1.v1.jsonl"
        for _ in range(count):
            inputs, outputs = [{"age": self.dice.gauss(age, 10)}], [self.dice.choice(answers)]
            self.scene.world.record(
                self.number * 10, "aaa", "stable", outputs, segment=segment, inputs=inputs, status=status
            )
            self.number += 1

    def feedback(self, number, actual):
        at = datetime.now(UTC).isoformat().replace("+00:00", "000Z")
        line = {"ts": at, "item": 0, "endpoint": "tumour", "request_id": f"r{number * 10}", "row": 0, "actual": actual}
        folder = self.home / "feedback" / "tumour"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "1-1.v1.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")

    def view(self, view="monitor", **given):
        return self.scene.view(view, **given)


def began_two_hours_ago(monkeypatch):
    """At a whole minute, so that a range of whole minutes has whole periods."""
    monkeypatch.setattr(record_world, "NOON", datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(hours=2))
