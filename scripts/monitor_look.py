"""Measure a look of the Monitor at a long history: ``python -m scripts.monitor_look --days 365 --features 30``.

The counts are those of a release with so many requests a day and a shift in one feature after seven twelfths of the
time, as its watch would hold them; no records are written. It prints the size of the watch's file, and the processor
time (median) of its parts: reading the file (the archivist and each look do), writing it (the archivist does, once a
minute), the figures, and the charts.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from jupyter_deploy.domain.drift.detector import Detector
from jupyter_deploy.domain.drift.watch import WatchState, reference_of
from jupyter_deploy.domain.monitoring.monitor import monitor_of
from jupyter_deploy.domain.monitoring.monitor_charts import monitor_charts
from jupyter_deploy.domain.monitoring.rollup import DAY, HOUR, MINUTE, Requests, Rollup
from jupyter_deploy.domain.release.endpoint import Endpoint, Release
from jupyter_deploy.domain.store_ports import Watched
from jupyter_deploy.drift_detection.watch_file import Stored, WatchFile, empty_clusters

ROUNDS = 15
RANGES = {"1h": timedelta(hours=1), "24h": timedelta(days=1), "7d": timedelta(days=7), "30d": timedelta(days=30)}


def history(now: datetime, days: int, features: int, daily: float) -> Stored:
    """Return the watch of a release with so many days of requests, ``daily`` of them each day."""
    dice = random.Random(1)
    names = [f"feature {number}" for number in range(features)]
    rows = [{name: dice.gauss(0, 1) for name in names} for _ in range(1_000)]
    reference = reference_of({"inputs": rows, "answers": [dice.choice("ab") for _ in rows]}, {"inputs": "training"})
    rollup, moment = Rollup(now), now - timedelta(days=days)
    kinds = ((MINUTE, timedelta(hours=26)), (HOUR, timedelta(days=35)), (DAY, timedelta(days=days)))
    while moment < now:
        seconds = next(length for length, most in kinds if now - moment <= most)
        count = daily * seconds / DAY
        latencies = {bucket: round(count / 40) + 1 for bucket in range(20, 60)}
        key = (int(moment.timestamp()) // seconds * seconds, seconds), "stable"
        rollup.requests[key] = Requests(count, count / 100, count / 200, latencies)
        share = 1.5 if moment > now - timedelta(days=days * 5 / 12) else 1.0
        counts = [part * count for one in reference.features for part in one.shares]
        counts[0] *= share
        values = rollup.values_of(rollup.period_of_values(moment), len(counts))
        values[:] = map(float.__add__, values, counts)
        moment += timedelta(seconds=seconds)
    state = WatchState(reference=reference, units=1, requests=1)
    Detector(reference.features, state.run)  # a run of these features: else the counts are of others
    return Stored(state, empty_clusters(), rollup)


def median_ms(work: Callable[[], Any]) -> float:
    """Return the median processor time of several calls, in milliseconds."""
    times = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        work()
        times.append(1_000 * (time.process_time() - begun))
    return statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--features", type=int, default=30)
    parser.add_argument("--records", type=float, default=1e7)
    options = parser.parse_args()
    now = datetime.now(UTC)
    stored = history(now, options.days, options.features, options.records / options.days)
    release = Release.model_construct(endpoint="churn", tag="churn:a", created_at=now)
    endpoint = Endpoint.first(release)
    with tempfile.TemporaryDirectory() as folder:
        file = WatchFile(Path(folder), "churn", "a")
        with file.locked():
            written = median_ms(lambda: file.save(stored))
        print(f"{options.records:,.0f} records in {options.days} days, {options.features} features")
        size = f"{file.path.stat().st_size / 1e6:.2f} MB"
        print(f"file: {size}; read {median_ms(file.load):.0f} ms, written {written:.0f} ms")
    watches = {"churn:a": Watched(stored.state, stored.rollup)}
    for name, length in (RANGES | {"all": None}).items():

        def look(length: timedelta | None = length) -> Any:
            since = now - length if length else None
            return monitor_of(endpoint, "churn:a", watches, [], since=since, until=now, now=now)

        monitor = look()
        charts = monitor_charts(monitor)
        drawn = median_ms(lambda monitor=monitor: monitor_charts(monitor))
        print(f"{name:4}: figures {median_ms(look):.0f} ms, charts {drawn:.0f} ms, {len(str(charts)) / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
