"""What a shadow that hangs, dies or raises costs the clients of stable."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from .figures import Figure, median, quantile
from .world import world

SHARE = 0.3
ROUNDS, SECONDS = 4, 3.0
MOODS = ("hang", "die", "raise")
WORDS = {"hang": "hanging", "die": "dead", "raise": "raising"}


def shadows() -> Iterator[Figure]:
    """An open load at 30 % of capacity, with a bad shadow and without any, in turns."""
    with world() as here:
        mood = here.folder / "mood"
        mood.symlink_to("well")
        _, url = here.deploy("trained(1.0)", "model")
        rate = SHARE * here.capacity(url)
        here.run(f"moody = Moody(trained(0.01), {str(mood)!r})")
        tag, _ = here.deploy("moody", "model")
        results: dict[str, list[tuple[float, float]]] = {name: [] for name in ("none", *MOODS)}
        failed = asked = 0
        for _ in range(ROUNDS):
            for name, found in results.items():
                _tell(mood, name if name != "none" else "well")
                here.run(f"jupyter_deploy.traffic('model', shadow={{{tag!r}: {0 if name == 'none' else 100}}})")
                answers = here.asked(url, "--rate", f"{rate:.0f}", "--seconds", f"{SECONDS}")
                latencies = answers.latencies(since=0.5)
                found.append((median(latencies), quantile(latencies, 0.99)))
                failed += answers.failed
                asked += len(answers.rows)
                _tell(mood, "well")
    note = f"{asked} requests at {rate:.0f} a second, {SHARE:.0%} of capacity"
    yield Figure("bad shadows", "failed requests of stable", failed, most=0, note=note)
    for name in MOODS:
        for place, (figure, most) in enumerate((("p50", 1.10), ("p99", 1.5))):
            ratios = [bad[place] / none[place] for bad, none in zip(results[name], results["none"], strict=True)]
            base = median([none[place] for none in results["none"]])
            note = f"median of {ROUNDS} pairs of runs; without a shadow {base:.1f} ms"
            yield Figure(f"{WORDS[name]} shadow", f"{figure} of stable / without one", median(ratios), "×", most, note)


def _tell(link: Path, mood: str) -> None:
    """Replace the link that the shadow reads."""
    new = link.with_name("new")
    new.symlink_to(mood)
    new.replace(link)
