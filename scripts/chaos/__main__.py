"""A seeded campaign of ``kill -9`` against everything that nbdeploy runs, under load: ``make chaos``.

It prints its seed, each event with its time, and at the end a table. The exit code is 1 if any answered request is
missing from the records or in them twice, if any request failed that was not in flight at a killed worker or
gateway, or if the running releases ever differed from the desired state. The promises: docs/reliability.md.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

from .accounts import opened, unexplained, write
from .campaign import KINDS, Campaign
from .world import ENDPOINT, World


def main() -> int:
    """Run the campaign, once with each number of workers, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="workers a release, one part each")
    parser.add_argument("--only", nargs="+", choices=KINDS, default=list(KINDS), help="only these events")
    parser.add_argument("--clients", type=int, default=3)
    parser.add_argument("--pause", type=float, default=0.02, help="seconds between a client's requests")
    parser.add_argument("--bentoml-home", help="with --tags: models that are there already")
    parser.add_argument("--tags", nargs=3, default=[])
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.randrange(1 << 32)
    print(f"seed {seed}", flush=True)
    bad, stopped = 0, False
    for workers in options.workers:
        world = World(Path(tempfile.mkdtemp(prefix="chaos-")), workers)
        campaign = Campaign(world, random.Random(f"{seed} {workers}"), options.only)
        try:
            world.capture(options.bentoml_home, options.tags)
            try:
                campaign.run(options.minutes * 60 / len(options.workers), options.clients, options.pause)
            except KeyboardInterrupt:
                stopped = True
            bad += report(campaign)
        finally:
            world.close()
        if stopped:
            break
    print(f"seed {seed}: {'NOT as promised' if bad else 'as promised'}")
    return 1 if bad else 0


def report(campaign: Campaign) -> int:
    """Print the tables; the number of violations."""
    found = violations(campaign)
    print(f"\nworkers a release: {campaign.world.workers}")
    print(f"{'event':24} {'times':>6} {'longest without an answer, s':>30}")
    for kind, silences in sorted(campaign.silences.items()):
        print(f"{kind:24} {len(silences):6} {max(silences):30.2f}")
    answered = sum(a.status == 200 for a in campaign.asked)
    print(f"killed {campaign.killed}, a reboot's processes included")
    print(f"requests {len(campaign.asked)}, answered {answered}, failed {len(campaign.asked) - answered}")
    for kind in sorted({outage.kind for outage in campaign.outages}):
        counts = [outage.explained for outage in campaign.outages if outage.kind == kind]
        print(f"  failed with a killed {kind}: {sum(counts)}, at most {max(counts)} at once")
    for name, lines in found.items():
        print(f"{name}: {len(lines)}", *lines[:10], sep="\n    ")
    print(f"faults: {len(campaign.faults)}", *campaign.faults, sep="\n    ", flush=True)
    bad = sum(map(len, found.values())) + len(campaign.faults)
    if bad:
        print("what the verbs said last:", (campaign.world.folder / "verb.log").read_text()[-6000:], sep="\n")
    return bad


def violations(campaign: Campaign) -> dict[str, list[str]]:
    """Lost and doubled records, and failures that no kill explains; each as lines of text."""
    path = campaign.world.folder / "asked.tsv"
    write(campaign.asked, path)
    with opened(campaign.world.folder / "nbdeploy", ENDPOINT, path) as books:
        return {
            "lost": books.lost(),
            "doubled": books.doubled(),
            "failed unexplained": unexplained(books.failed(), campaign.outages),
        }


if __name__ == "__main__":
    sys.exit(main())
