"""The JupyterLab extension in a real Lab and browser: what it costs, and how long who uses it waits."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from jupyter_deploy.domain.capture.artifacts import Source
from jupyter_deploy.domain.release.endpoint import Endpoint, Release
from jupyter_deploy.domain.release.traffic import Traffic
from jupyter_deploy.records.compaction import compact_all
from jupyter_deploy.store.database import Database
from jupyter_deploy.store.store import SqliteStore

from .browser import Place, browser, lab
from .figures import Figure, median, quantile
from .records import write
from .world import world

SUBJECT = "JupyterLab extension"
PAIRS = 11
PAIRS_SECONDS = 150.0
"""After which no further pair is begun, once there are three: a busy machine takes ten seconds for each page."""

TOGGLES = 30
VISITS = 5
MINUTES = 0.5
ENDPOINTS = 500
RECORDS = 100_000
MANY = "tumour"  # the endpoint that records.write writes for

_LIST, _RECORDS = ".nbd-Endpoints [role=option]", ".nbd-Records [role=option]"
_UPDATE_SECONDS = 0.5


def labs(minutes: float = MINUTES) -> Iterator[Figure]:
    """All of it; ``minutes``: how long the page is updated while its heap is watched."""
    yield from startup()
    yield from toggles()
    yield from many(minutes=minutes)


def startup(pairs: int = PAIRS) -> Iterator[Figure]:
    """A page of Lab from its address until all is restored, with the extension and without, in turns."""
    times: dict[bool, list[float]] = {True: [], False: []}
    with TemporaryDirectory(prefix="nbdeploy-bench-") as folder, contextlib.ExitStack() as servers:
        urls = {}
        for extended in (True, False):
            place = Place(Path(folder) / f"with-{extended}", _environment(Path(folder)))
            urls[extended] = servers.enter_context(lab(place if extended else place.without_extension()))
        visits = servers.enter_context(browser())
        latest = time.monotonic() + PAIRS_SECONDS
        for number in range(pairs + 1):
            if number > 3 and time.monotonic() > latest:
                break
            for extended in (True, False) if number % 2 else (False, True):
                with visits(urls[extended]) as visit:
                    if visit.extended is not extended:
                        raise RuntimeError(f"Lab has the extension: {visit.extended}; it should be {extended}")
                    times[extended].append(visit.restored_ms)
    ours, without = times[True][1:], times[False][1:]  # the servers' first page is slower
    ratios = [one / other for one, other in zip(ours, without, strict=True)]
    note = f"median of {len(ratios)} pairs of pages, nothing cached; without it {median(without):.0f} ms"
    yield Figure(SUBJECT, "Lab's start-up with it / without", median(ratios), "×", most=1.05, note=note)


def toggles(number: int = TOGGLES) -> Iterator[Figure]:
    """Clicks on a shadow's switch."""
    with world() as here:
        here.deploy("trained(1.0)", "model")
        here.deploy("trained(0.5)", "model")
        # The kernel's client and the browser's both have an event loop, so the browser comes after it.
        place = Place(here.folder / "server", here.environment)
        with lab(place) as url, browser() as visits, visits(url) as visit:
            visit.painted(".nbd-Sidebar [role=switch]", name="model")
            for _ in range(4):  # warm
                visit.toggled()
            times = [visit.toggled() for _ in range(number)]
    yield Figure(SUBJECT, "click on a shadow's switch to its confirmed state, p50", median(times), "ms")
    note = f"{number} clicks; a job, in force in Envoy, told by the stream"
    yield Figure(SUBJECT, "the same, p95", quantile(times, 0.95), "ms", most=300, note=note)


def many(rounds: int = VISITS, minutes: float = MINUTES) -> Iterator[Figure]:
    """The sidebar with many endpoints and records: its first paint, and its heap while they change."""
    with TemporaryDirectory(prefix="nbdeploy-bench-") as folder:
        environment = _environment(Path(folder))
        home = Path(environment["NBDEPLOY_HOME"])
        store = _filled(home)
        with lab(Place(Path(folder) / "server", environment)) as url, browser() as visits:
            lists, records = [], []
            for _ in range(rounds + 1):
                with visits(url) as visit:
                    lists.append(visit.painted(_LIST))
                    records.append(visit.painted(_RECORDS, name=MANY, section="records"))
            for what, rows in (("list", lists[1:]), (f"records of one, {RECORDS:,} in all", records[1:])):
                script = median([one for one, _ in rows])
                note = f"median of {rounds} pages; with the server's part {median([one for _, one in rows]):.0f} ms"
                name = f"{ENDPOINTS} endpoints, first paint of the {what}: script"
                yield Figure(SUBJECT, name, script, "ms", most=300, note=note)
            with visits(url) as visit:
                visit.painted(_LIST)
                visit.execute("nbdeploy:open-tab", name=MANY, section="records")
                with _updated(store, home) as updates:
                    visit.page.wait_for_timeout(15_000)  # until what is drawn lazily has been
                    before, at = visit.heap_mb(), len(updates)
                    visit.page.wait_for_timeout(minutes * 60_000)
                    after, done = visit.heap_mb(), len(updates) - at
    note = f"{before:.1f} MB before {minutes:g} minutes, {done} changes and {done} records, {after:.1f} MB after"
    yield Figure(SUBJECT, "reachable heap of the page after / before updates", after / before, "×", most=1.1, note=note)


def _environment(folder: Path) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("NBDEPLOY_")} | {
        "NBDEPLOY_HOME": str(folder / "nbdeploy"),
        "BENTOML_HOME": str(folder / "bentoml"),
        "IPYTHONDIR": str(folder / "ipython"),
    }


def _filled(home: Path) -> SqliteStore:
    home.mkdir(mode=0o700)
    write(home, RECORDS // 2)  # of each a record by stable and one by its shadow
    if failures := compact_all(home):
        raise RuntimeError("\n".join(failures))
    store = SqliteStore(home, "ada")
    shadowed = _endpoint(MANY, "aaa", "bbb")
    with patch.object(Database, "copy"):  # after each change, of all that there is
        for endpoint in (shadowed, *(_endpoint(f"model-{number:03}", "aaa") for number in range(ENDPOINTS - 1))):
            store.save(endpoint, based_on=0, reason="", change="first")
    return store


def _endpoint(name: str, *versions: str) -> Endpoint:
    releases = tuple(
        Release(
            endpoint=name, tag=f"{name}:{version}", digest="sha256:0", path="/bento", snapshot_path="/snapshot",
            interpreter="/python", source=Source(), created_at=datetime(2026, 1, 1, tzinfo=UTC),
        )
        for version in versions
    )  # fmt: skip
    stable, *shadows = (release.tag for release in releases)
    return Endpoint(
        name=name, revision=1, releases=releases, traffic=Traffic(stable=stable, shadows=dict.fromkeys(shadows, 100.0))
    )


@contextlib.contextmanager
def _updated(store: SqliteStore, home: Path) -> Iterator[list[int]]:
    """Within, the endpoint that is looked at is changed and asked, over and over; what has been done is listed."""
    done: list[int] = []
    ended = threading.Event()
    segment = home / "records" / MANY / "aaa" / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{os.getpid()}-00000000.v1.jsonl"

    def go_on() -> None:
        while not ended.wait(_UPDATE_SECONDS):
            now = store.endpoint(MANY)
            if now is None:
                return
            record = "meta" if now.record == "full" else "full"
            after = now.model_copy(update={"record": record, "revision": now.revision + 1})
            store.save(after, based_on=now.revision, reason="", change=f"records: {record}")
            with segment.open("a") as file:
                file.write(f"{json.dumps(_record())}\n")
            done.append(after.revision)

    thread = threading.Thread(target=go_on, daemon=True)
    thread.start()
    try:
        yield done
    finally:
        ended.set()
        thread.join()


def _record() -> dict[str, object]:
    number = str(uuid.uuid4())
    return {
        "request_id": f"r-{number}", "pair_id": number, "ts": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}789Z",
        "endpoint": MANY, "release": f"{MANY}:aaa", "role": "stable", "status": 200, "latency_ms": 2.5, "rows": 1,
        "inputs": [{"feature_0": time.time() % 1}], "outputs": ["benign"], "error": None,
    }  # fmt: skip
