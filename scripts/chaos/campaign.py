"""What a campaign does: events, one after the other, to a world under load, and what is looked at after each."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from typing import Any

import httpx
from jupyter_client.manager import KernelManager

from .accounts import Asked, Outage
from .world import DYING_SECONDS, ENDPOINT, TRAIN, Clients, World, longest_silence

SETTLE_SECONDS = 60.0
SHORT_SECONDS = 120.0

# How often each is chosen.
KINDS = {
    "worker": 12, "shadow": 6, "gateway": 6, "supervisor": 6, "keeper": 2, "two at once": 6,
    "verb": 12, "process during a verb": 8, "kernel": 2, "reboot": 1,
}  # fmt: skip


class Campaign:
    """One world, its clients, and what is done to them."""

    def __init__(self, world: World, rng: random.Random, kinds: list[str]) -> None:
        self.world, self.rng = world, rng
        self.kinds = kinds
        self.outages: list[Outage] = []
        self.silences: dict[str, list[float]] = {}
        self.killed = 0
        self.faults: list[str] = []
        self.asked: list[Asked] = []
        self.begun = time.time()
        self.url = ""

    def run(self, seconds: float, count: int, pause: float) -> None:
        """Deploy, then one event after the other until the time is over."""
        world = self.world
        for tag in world.tags[:2]:
            if world.run("deploy", tag, "--trust", "--name", ENDPOINT):
                raise SystemExit((world.folder / "verb.log").read_text())
        self.begun = time.time()
        self.url = world.describe()["url"]
        with Clients(self.url, count, pause) as clients:
            self.asked = clients.asked
            self._until(lambda: len(clients.asked) > 20, "the first answers")
            kinds = self._kinds(short=seconds < SHORT_SECONDS)
            while time.time() < self.begun + seconds:
                kind = next(kinds)
                at = time.time()
                self.say(kind)
                getattr(self, f"_{kind.replace(' ', '_')}")()
                self._until(clients.answered_from_now(), "an answer")
                self._settled(kind)
                self.silences.setdefault(kind, []).append(longest_silence(self.asked, at, time.time()))
                time.sleep(self.rng.uniform(0.2, 1.5))

    def say(self, text: str) -> None:
        """A line with the time since the beginning."""
        print(f"{time.time() - self.begun:7.2f}  {text}", flush=True)

    def _kinds(self, *, short: bool) -> Any:
        """Every kind comes up before chance decides: none may be missed by luck (but the slowest, in a short one)."""
        first = [kind for kind in self.kinds if not (short and kind == "kernel")]
        self.rng.shuffle(first)
        yield from first
        while True:
            yield self.rng.choices(self.kinds, [KINDS[kind] for kind in self.kinds])[0]

    # Events

    def _worker(self) -> None:
        traffic = self.world.describe()["traffic"]
        tag = self.rng.choice([traffic["stable"], traffic["canary"] or traffic["stable"]])
        self._kill_worker(tag)

    def _shadow(self) -> None:
        shadows = list(self.world.describe()["traffic"]["shadows"])
        if not shadows:
            self._try("deploy", self._idle(), "--trust", "--name", ENDPOINT, "--role", "shadow")
            shadows = list(self.world.describe()["traffic"]["shadows"])
        for tag in shadows[:1]:
            self._kill(self._pattern(tag), "shadow")

    def _gateway(self) -> None:
        outage = Outage("gateway", time.time() - 0.01, time.time() + SETTLE_SECONDS)
        self.outages.append(outage)
        self._kill("gateway@0", "gateway")
        self._until(self._listens, "the gateway")
        outage.until = time.time() + DYING_SECONDS

    def _supervisor(self) -> None:
        self._kill("supervisor", "supervisor")

    def _keeper(self) -> None:
        self._kill("keeper@0", "keeper")

    def _two_at_once(self) -> None:
        for kind in self.rng.sample(["worker", "gateway", "supervisor", "keeper", "shadow"], 2):
            getattr(self, f"_{kind}")()
            time.sleep(self.rng.uniform(0, 0.3))

    def _verb(self) -> None:
        """A verb that changes, killed in its middle; then the store's state is brought about."""
        before = self.world.describe()["revision"]
        arguments = self._change()
        delay = self.rng.uniform(0, 2.5)
        process = self.world.start(*arguments)
        ended = _waited(process, delay)
        process.kill()
        process.wait()
        self.killed += not ended
        self.say(f"  nbdeploy {' '.join(arguments)}: {'had ended' if ended else 'killed'} after {delay:.2f} s")
        after = self.world.describe()["revision"]
        if after not in (before, before + 1):
            self._fault(f"revision {before} became {after}")

    def _process_during_a_verb(self) -> None:
        process = self.world.start(*self._change())
        time.sleep(self.rng.uniform(0, 1.5))
        getattr(self, f"_{self.rng.choice(['worker', 'gateway', 'supervisor', 'shadow'])}")()
        code = process.wait(180)
        self.say(f"  the verb ended with {code}")
        if code not in (0, 1, 3):
            self._fault(f"a verb ended with {code}")

    def _kernel(self) -> None:
        """A real kernel, killed in the middle of a %deploy."""
        manager = KernelManager(kernel_name="python3")
        manager.start_kernel(env=self.world.environment, cwd=str(self.world.folder))
        client = manager.client()
        client.start_channels()
        try:
            client.wait_for_ready(60)
            client.execute_interactive(f"{TRAIN}\n%load_ext jupyter_deploy", timeout=60, output_hook=lambda _: None)
            strength = self.rng.choice([0.1, 0.2, 0.3])
            cell = f"clf = LogisticRegression(C={strength}).fit(X, y)\n%deploy clf --name churn --example X[:3]"
            client.execute(cell)
            time.sleep(self.rng.uniform(1, 8))
        finally:
            client.stop_channels()
            manager.signal_kernel(signal.SIGKILL)
            self.killed += 1
            manager.cleanup_resources()

    def _reboot(self) -> None:
        """All processes and the runtime directory gone; the same URL after a reconcile."""
        outage = Outage("reboot", time.time() - 0.01, time.time() + 120)
        self.outages.append(outage)
        for pid in (pids := self.world.processes()):
            os.kill(pid, signal.SIGSTOP)  # nobody may notice the others' end
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        self.killed += len(pids)
        shutil.rmtree(self.world.runtime)
        if self.rng.random() < 0.5:
            self._try("reconcile")
        else:
            self._try(*self._change())
        outage.until = time.time() + DYING_SECONDS
        if self.world.describe()["url"] != self.url:
            self._fault("the URL changed")

    # Their parts

    def _change(self) -> list[str]:
        """A verb that changes the endpoint somehow."""
        described = self.world.describe()
        traffic, idle = described["traffic"], self._idle()
        candidate = traffic["canary"] or next(iter(traffic["shadows"]), None)
        choices = [["deploy", idle, "--trust", "--name", ENDPOINT, "--role", "shadow"]]
        if candidate:
            choices += [
                ["promote", ENDPOINT, candidate],
                ["traffic", ENDPOINT, "--canary", f"{candidate}={self.rng.choice([10, 50])}"],
                ["traffic", ENDPOINT, "--shadow", f"{candidate}={self.rng.choice([50, 100])}"],
            ]
        if described["revision"] > 3:
            choices.append(["rollback", ENDPOINT])
        choices.append(["reconcile"])
        return self.rng.choice(choices)

    def _idle(self) -> str:
        stable = self.world.describe()["traffic"]["stable"]
        return self.rng.choice([tag for tag in self.world.tags if tag != stable])

    def _kill_worker(self, tag: str) -> None:
        at = time.time()
        self.outages.append(Outage("worker", at - 0.01, at + DYING_SECONDS))
        self._kill(self._pattern(tag), "worker")

    def _pattern(self, tag: str) -> str:
        return f"release-*{tag.partition(':')[2]}@0"

    def _kill(self, pattern: str, what: str) -> None:
        pids = self.world.pids(pattern)
        if not pids:
            self.say(f"  {what}: not there just now")
            return
        pid = self.rng.choice(pids)
        os.kill(pid, signal.SIGKILL)
        self.killed += 1
        self.say(f"  killed {what} {pid}")

    def _try(self, *arguments: str) -> None:
        if code := self.world.run(*arguments):
            self._fault(f"nbdeploy {' '.join(arguments)} ended with {code}")

    def _listens(self) -> bool:
        try:
            return httpx.get(f"{self.url}/livez", trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    def _settled(self, kind: str) -> None:
        """By itself where that is promised, else after ``reconcile``: what runs is what the store wants."""
        # With supervisor and keeper both gone nobody is left who could start another one: reconcile is promised to.
        alone = not (self.world.pids("supervisor") or self.world.pids("keeper@0"))
        if alone or kind in ("verb", "process during a verb", "kernel"):
            self._try("reconcile")
        begun = time.time()
        while (faults := self.world.faults()) and time.time() < begun + SETTLE_SECONDS:
            time.sleep(0.5)
        for fault in faults:
            self._fault(f"after {kind}: {fault}")
        if faults:
            self._try("reconcile")

    def _fault(self, text: str) -> None:
        self.faults.append(text)
        self.say(f"  FAULT {text}")

    def _until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.time() + SETTLE_SECONDS
        while not condition():
            if time.time() > deadline:
                self._fault(f"{what} did not come within {SETTLE_SECONDS:g} s")
                return
            time.sleep(0.02)


def _waited(process: subprocess.Popen[str], seconds: float) -> bool:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True
