"""One run of the soak: an endpoint under an open load, what is done to it meanwhile, and what is looked at."""

from __future__ import annotations

import contextlib
import io
import json
import random
import subprocess
import sys
import time
from pathlib import Path

import httpx

import jupyter_deploy
from jupyter_deploy.records import segments
from scripts.chaos.accounts import Outage, opened
from scripts.chaos.campaign import Campaign
from scripts.chaos.world import ENDPOINT, ROW, World

from .watching import Sample, Watch, left_open, look

CLIENT = Path(__file__).with_name("client.py")
CONNECTIONS = 16
CALM = 2 / 3
"""From this part of the time on nothing is killed."""

JUDGED_SECONDS = 240.0
"""In a shorter run nothing lives long enough to tell a leak from a warm-up."""

LATE_SECONDS = 60.0
"""A closed file of records waits no longer than this for its compaction."""

REST_SECONDS = 120.0
"""The gateway closes idle connections after a minute, a release after 75 s."""

KINDS = ["worker", "toggle", "shadow", "toggle", "toggle"]
_STATES = {"shadow 100": 4, "shadow 50": 1, "shadow 0": 1, "canary 20": 2}

# The errors of an overload, of the gateway and of a release with the load of two.
_REFUSALS = ("overflow", "connection failure", "requests are waiting for the model already")


class Soak(Campaign):
    """Toggles and kills, in turns; at the end toggles alone, so that what came back can be judged."""

    def __init__(self, world: World, rng: random.Random, share: float) -> None:
        super().__init__(world, rng, KINDS)
        self.share = share
        self.home = world.folder / "nbdeploy"
        self.asked_path = world.folder / "asked.tsv"
        self.body = world.folder / "body.json"
        self.state, self.copied_since = "shadow 100", 0.0
        self.spans: list[tuple[float, float]] = []
        self.capacity = self.rate = 0.0
        self.disk: list[int] = []
        self.late: set[str] = set()
        self.dropped = 0
        self.failures: dict[str, int] = {}
        self.left_open: list[str] = []

    def soak(self, seconds: float, capacity_seconds: float) -> Watch:
        """The whole run; the samples that were taken."""
        world = self.world
        for tag in world.tags[:2]:
            if world.run("deploy", tag, "--trust", "--name", ENDPOINT):
                raise SystemExit((world.folder / "verb.log").read_text())
        self.url = world.describe()["url"]
        self.body.write_text(json.dumps({"instances": [ROW]}))
        before = self._look()
        self.say(f"measuring what {CONNECTIONS} connections get answered")
        self.capacity = self._measured(capacity_seconds)
        self.rate = self.share * self.capacity
        self.say(f"{self.capacity:.0f} a second; from now on {self.rate:.0f} are sent a second")
        watch = Watch(self._look, max(0.2, seconds / 300))
        options = ["--rate", f"{self.rate:.2f}", "--seconds", f"{seconds:g}"]
        client = self._client(self.asked_path, "soak", *options)
        try:
            self.begun = self.copied_since = time.time()
            with watch:
                self._events(seconds)
                if client.wait(seconds + 120):
                    raise SystemExit("the clients failed")
        finally:
            client.kill()
            client.wait()
        self._end_span(time.time())
        self._until(self._quiet(), "the end of what is written")
        self._until(lambda: not self._waiting(0), "the compaction of all closed files")
        if seconds >= JUDGED_SECONDS:
            self._rest(before)
        return watch

    def _rest(self, before: list[Sample]) -> None:
        """Wait until the connections of the load are closed, as idle ones are, and note what is left open."""
        deadline = time.time() + REST_SECONDS
        while (found := left_open(before, self._look())) and time.time() < deadline:
            time.sleep(1)
        self.left_open = found

    def _events(self, seconds: float) -> None:
        pause = seconds / 40
        number = 0
        while time.time() < self.begun + seconds - pause:
            time.sleep(pause * self.rng.uniform(0.5, 1.5))
            calm = time.time() > self.begun + seconds * CALM
            kind = "toggle" if calm else self.kinds[number % len(self.kinds)]
            number += 1
            getattr(self, f"_{kind}")()
            self._settled(kind)

    def _toggle(self) -> None:
        others = [state for state in _STATES if state != self.state]
        self._become(self.rng.choices(others, [_STATES[state] for state in others])[0])

    def _become(self, state: str) -> None:
        """Change the traffic, as from a notebook."""
        role, percent = state.split()
        self._end_span(time.time())
        self.dropped += self._overflowed()  # a cluster that goes takes its counters with it
        began = time.time()
        with contextlib.redirect_stderr(io.StringIO()):  # what it is doing
            jupyter_deploy.traffic(ENDPOINT, **{role: {self.world.tags[1]: float(percent)}})
        self.state = state
        if state == "shadow 100":
            self.copied_since = time.time()
        self.say(f"{state} ({(time.time() - began) * 1000:.0f} ms)")

    def _end_span(self, now: float) -> None:
        if self.copied_since:
            self.spans.append((self.copied_since, now))
            self.copied_since = 0.0

    def _worker(self) -> None:
        at, first = time.time(), self._firsts()
        super()._worker()
        self._until(lambda: not self.world.faults(), "the killed worker")
        if first == self._firsts():
            return  # the pool's parent lives: connections to its sockets wait there
        for words in _REFUSALS:
            self.outages.append(Outage(f"worker: refused, {words}", at, time.time() + 1, words))

    def _firsts(self) -> list[int]:
        """Of both releases the pool's parent, or the only worker."""
        return [pid for tag in self.world.tags[:2] for pid in self.world.pids(self._pattern(tag))[:1]]

    def _shadow(self) -> None:
        if not self.state.startswith("shadow") or self.state == "shadow 0":
            self._become("shadow 100")
        super()._shadow()

    # Looking

    def _look(self) -> list[Sample]:
        """All processes, and the disk."""
        found = []
        stable, candidate = self.world.tags[:2]
        for kind, pattern in (
            ("gateway", "gateway@0"), ("supervisor", "supervisor"), ("keeper", "keeper@0"),
            ("archivist", "archivist@0"), ("stable", self._pattern(stable)), ("candidate", self._pattern(candidate)),
        ):  # fmt: skip
            found.append(look(kind, self.world.pids(pattern)))
        sizes = [path.stat().st_size for path in self._files()]
        self.disk.append(sum(sizes))
        self.late |= self._waiting(LATE_SECONDS)
        return [sample for sample in found if sample]

    def _files(self) -> list[Path]:
        return [
            path
            for name in (segments.RECORDS, segments.LEDGER)
            for path in (self.home / name).rglob("[!.]*")
            if path.is_file()
        ]

    def _waiting(self, seconds: float) -> set[str]:
        """Closed files of records to which nobody wrote for so long, and that are not compacted."""
        now, found = time.time(), set()
        for folder in segments.release_folders(self.home, ENDPOINT):
            for one in segments.segments_in(folder):
                try:
                    old = one.form == "jsonl" and one.path.stat().st_mtime < now - seconds
                except FileNotFoundError:
                    continue
                if old and segments.is_closed(one):
                    found.add(one.path.name)
        return found

    def _overflowed(self) -> int:
        """Copies that the gateway dropped before they had a line in the ledger, since the traffic was changed last."""
        transport = httpx.HTTPTransport(uds=str(self.world.runtime / "admin.sock"))
        with httpx.Client(transport=transport, base_url="http://admin") as admin:
            lines = admin.get("/stats", params={"filter": r"^cluster\.shadow-hop/.*_overflow$"}).text.splitlines()
        return sum(int(line.rpartition(":")[2]) for line in lines)

    def _quiet(self) -> object:
        """A condition: nothing was written for two seconds."""
        seen: list[tuple[int, float]] = []

        def quiet() -> bool:
            size = sum(path.stat().st_size for path in self._files() if path.suffix == ".jsonl")
            if not seen or seen[-1][0] != size:
                seen.append((size, time.time()))
            return time.time() > seen[-1][1] + 2

        return quiet

    # Clients

    def _measured(self, seconds: float) -> float:
        """Answers a second, once warm."""
        result = self.world.folder / "capacity.tsv"
        for part in (seconds / 2, seconds):
            options = ["--connections", str(CONNECTIONS), "--seconds", f"{part:g}"]
            if self._client(result, "measure", *options).wait(part + 120):
                raise SystemExit("the clients failed")
        with opened(self.home, ENDPOINT, result) as books:
            return books.answered()[1] / seconds

    def _client(self, result: Path, name: str, *options: str) -> subprocess.Popen[bytes]:
        arguments = [sys.executable, str(CLIENT), f"{self.url}/predict", str(self.body), str(result), name, *options]
        return subprocess.Popen(arguments, stdout=subprocess.DEVNULL)
