"""An endpoint with a shadow, minutes long at 70 % of its capacity, with toggles and kills: ``make soak``.

It measures what sixteen connections get answered (the clients share the machine's processors with what they ask),
offers 70 % of that, whatever the answers take, and meanwhile changes the traffic and kills workers and the shadow.
At the end it prints what it found and exits with 1 if an answer has no record or two, a copy for the shadow has
neither record nor reason, a request failed that no kill explains, memory or open files grow, or files of records
were not compacted. Then it takes one record out and counts again: that must be found.
What is promised: docs/reliability.md.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

import jupyter_deploy
from scripts.chaos.accounts import Books, opened, unexplained
from scripts.chaos.world import ENDPOINT, World

from .run import CALM, JUDGED_SECONDS, LATE_SECONDS, Soak
from .watching import MIB, Course, Watch

WARM_SECONDS = 30.0
"""After the last kill."""


def main() -> int:
    """Run it and print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--workers", type=int, default=2, help="workers a release")
    parser.add_argument("--share", type=float, default=0.7, help="of the capacity; less on a machine with other work")
    parser.add_argument("--capacity-seconds", type=float, default=6.0, help="how long the capacity is measured")
    parser.add_argument("--bentoml-home", help="with --tags: models that are there already")
    parser.add_argument("--tags", nargs=2, default=[])
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.randrange(1 << 32)
    print(f"seed {seed}", flush=True)
    world = World(Path(tempfile.mkdtemp(prefix="soak-")), options.workers)
    try:
        world.capture(options.bentoml_home, options.tags)
        soak = Soak(world, random.Random(seed), options.share)
        seconds = options.minutes * 60
        watch = soak.soak(seconds, options.capacity_seconds)
        bad = report(soak, watch, seconds)
    finally:
        world.close()
    print(f"seed {seed}: {'NOT as promised' if bad else 'as promised'}")
    return 1 if bad else 0


def report(soak: Soak, watch: Watch, seconds: float) -> int:
    """Print the tables; the number of violations."""
    with opened(soak.home, ENDPOINT, soak.asked_path) as books:
        found = violations(soak, books)
        sent, answered = books.answered()
        halfway, late, worst = books.latencies(0.5, 0.99, 1.0)
        copies = books.copies()
        victim = books.recorded_one()
        reasons = books.reasons()
    courses = watch.courses(seconds, soak.begun + seconds * CALM + min(WARM_SECONDS, seconds / 12))
    if seconds >= JUDGED_SECONDS:
        found["not flat"] = [*(fault for course in courses for fault in course.faults), *soak.left_open]
    found[f"compacted later than after {LATE_SECONDS:g} s"] = sorted(soak.late)
    print(f"\nrequests {sent} in {seconds:g} s, {soak.rate:.0f} a second ({soak.share:.0%} of {soak.capacity:.0f})")
    print(f"answered {answered}, p50 {halfway:.1f} ms, p99 {late:.1f} ms, the slowest {worst:.0f} ms")
    print(f"killed {soak.killed}, failed {sent - answered}", *(f"{n:8}  {why}" for why, n in reasons), sep="\n  ")
    for kind in sorted({outage.kind for outage in soak.outages}):
        print(f"  explained by a killed {kind}: {sum(o.explained for o in soak.outages if o.kind == kind)}")
    made = sum(copies.values())
    print(f"copies {made}", *(f"{n:8}  {why}" for why, n in sorted(copies.items())), sep="\n  ")
    _print_courses(courses, judged=seconds >= JUDGED_SECONDS)
    print(f"records and ledger on the disk: at most {max(soak.disk) / MIB:.0f} MiB, at last {soak.disk[-1] / MIB:.0f}")
    for name, lines in found.items():
        print(f"{name}: {len(lines)}", *lines[:10], sep="\n    ")
    missed = not _found_when_lost(soak, victim, len(found["lost"]))
    print(f"faults: {len(soak.faults)}", *soak.faults, sep="\n    ", flush=True)
    return sum(map(len, found.values())) + len(soak.faults) + missed


def violations(soak: Soak, books: Books) -> dict[str, list[str]]:
    """What the books have against it."""
    not_copied = books.not_copied(soak.spans)
    dropped = soak.dropped
    return {
        "lost": books.lost(),
        "doubled": books.doubled(),
        "failed unexplained": unexplained(books.failed(), soak.outages),
        "copies without record or reason": books.copies_lost() + not_copied[dropped:],
    }


def _found_when_lost(soak: Soak, victim: str, before: int) -> bool:
    """Take one record out: a check that cannot fail shows nothing."""
    jupyter_deploy.purge(ENDPOINT, request_id=[victim])
    with opened(soak.home, ENDPOINT, soak.asked_path) as books:
        lost = books.lost()
    found = len(lost) == before + 1 and any(f" {victim} " in line for line in lost)
    print(f"with the record of {victim} taken out, lost: {len(lost)}{'' if found else ' - IT WAS NOT FOUND'}")
    return found


def _print_courses(courses: list[Course], *, judged: bool) -> None:
    what = "gain a run" if judged else "(too short a run to be judged)"
    print(f"{'processes':20} {'lives':>5} {'PSS, MiB':>15} {'own, MiB':>15} {'open files':>11}  {what}")
    for one in courses:
        pss, own = (f"{first / MIB:.1f} → {last / MIB:.1f}" for first, last in (one.pss, one.own))
        files = f"{one.files[0]} → {one.files[1]}"
        gained = "" if one.gained is None else f"{one.gained / MIB:.1f} MiB"
        print(f"{one.kind:20} {one.lives:5} {pss:>15} {own:>15} {files:>11}  {gained if judged else ''}")


if __name__ == "__main__":
    sys.exit(main())
