"""Changes of traffic: how soon they are in force, and what they cost clients."""

from __future__ import annotations

from collections.abc import Iterator

from .figures import Figure, median, quantile
from .world import World, world

TOGGLES = """
durations = []
for number in range(%d):
    began = time.perf_counter()
    jupyter_deploy.traffic("model", shadow={tag: 100 if number %% 2 else 0})
    durations.append((time.perf_counter() - began) * 1000)
"""


def toggles() -> Iterator[Figure]:
    """``traffic`` from the call in Python to confirmed in force, without load and under load."""
    with world() as here:
        url = _two_releases(here)
        here.run(TOGGLES % 4)  # warm
        here.run(TOGGLES % 60)
        quiet = here.run("", "durations")
        yield Figure("traffic", "call in Python to confirmed in force, p50", median(quiet), "ms", note="60 changes")
        yield Figure("traffic", "the same, p95", quantile(quiet, 0.95), "ms", most=100)
        with here.clients(url, "--clients", "16") as answers:
            here.run(TOGGLES % 200)
        loaded = here.run("", "durations")
        asked = f"{len(answers.rows)} requests by 16 clients, one after the other as fast as they can"
        yield Figure("200 changes under load", "failed requests", answers.failed, most=0, note=asked)
        note = "printed: the clients take both processors"
        yield Figure("200 changes under load", "p95 of a change", quantile(loaded, 0.95), "ms", note=note)


def promotions() -> Iterator[Figure]:
    """A promotion, and the way back, under an open load at 30 % of capacity."""
    ratios, failed, asked = [], 0, 0
    with world() as here:
        url = _two_releases(here)
        rate = 0.3 * here.capacity(url)
        for _ in range(5):
            here.run('jupyter_deploy.traffic("model", shadow={tag: 100})')
            with here.clients(url, "--rate", f"{rate:.0f}") as answers:
                here.run("began = time.perf_counter(); time.sleep(4); at = time.perf_counter() - began")
                here.run('jupyter_deploy.promote("model"); after = time.perf_counter() - began; time.sleep(2)')
                here.run('jupyter_deploy.rollback("model")')
            at, after = here.run("", "(at, after)")
            before = quantile(answers.latencies(1, at), 0.99)
            ratios.append(max(answers.latencies(at, after + 1)) / before)
            failed += answers.failed
            asked += len(answers.rows)
    note = f"{asked} requests at {rate:.0f} a second, 5 promotions and 5 rollbacks"
    yield Figure("promote under load", "failed requests", failed, most=0, note=note)
    note = "median of 5; from the call until a second after it"
    yield Figure("promote under load", "worst request / p99 before", median(ratios), "×", most=2, note=note)


def _two_releases(here: World) -> str:
    _, url = here.deploy("trained(1.0)", "model")
    tag, _ = here.deploy("trained(0.01)", "model")
    here.run(f"tag = {tag!r}")
    return url
