"""Bodies with wrong bytes, sent to a release in processes that may die: ``make hostile``.

It prints the bodies sent, the workers lost and the answers of 500 or above. The exit code is 1 if a worker was lost or
an answer was 500 or above. ``make hostile SEED=… BODIES=…`` repeats a campaign; ``--save FOLDER`` keeps its bad bodies.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path

from tests.hostile_bodies import hostile_body, run_campaign, valid_bodies


def main() -> None:
    """Run a campaign and print its figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--bodies", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--save", type=Path, help="folder for the bodies that lose a worker or get 500 or above")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    began = time.perf_counter()
    campaign = run_campaign(options.bodies, options.seed, progress=_print)
    seconds = time.perf_counter() - began
    for status, count in sorted(campaign.statuses.items()):
        print(f"{status} {count:8}")
    bad = [number for number, _ in campaign.lost] + campaign.errors
    if options.save is not None:
        _save(options.save, options.seed, bad)
    print(f"{campaign.bodies} bodies in {seconds:.0f} s, {len(campaign.lost)} workers lost, ", end="")
    print(f"{len(campaign.errors)} answers of 500 or above, the slowest took {campaign.slowest[0]:.2f} s")
    if bad:
        print(f"numbers of the bad bodies: {bad[:20]}")
    sys.exit(bool(bad))


def _save(folder: Path, seed: int, numbers: list[int]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    valid = valid_bodies()
    for number in numbers:
        (folder / f"{number}.bin").write_bytes(hostile_body(valid, seed, number).content)


def _print(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
