"""``python -m scripts.statistics [TOPIC …]``: run the topics (default: all) and write docs/statistics.md."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from . import canary, clusters, duration, gates, ground_truth, independent, ramps, segments
from .table import markdown, replace_table

PAGE = Path(__file__).resolve().parents[2] / "docs" / "statistics.md"

TOPICS = {
    "independent": independent.rows,
    "clusters": clusters.rows,
    "canary": canary.rows,
    "ground_truth": ground_truth.rows,
    "duration": duration.rows,
    "gates": gates.rows,
    "ramps": ramps.rows,
    "segments": segments.rows,
}
"""Name of the markers in the page -> function that returns the rows."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m scripts.statistics", description=__doc__)
    parser.add_argument("topics", nargs="*", metavar="TOPIC", help=f"one of {', '.join(TOPICS)} (default: all)")
    names = parser.parse_args().topics or list(TOPICS)
    if unknown := set(names) - set(TOPICS):
        parser.error(f"there is no topic {', '.join(sorted(unknown))}")
    for name in names:
        began = time.perf_counter()
        table = markdown(TOPICS[name]())
        PAGE.write_text(replace_table(PAGE.read_text(), name, table))
        print(f"{table}\n\n{name}: {time.perf_counter() - began:.0f} s\n", file=sys.stderr)


if __name__ == "__main__":
    main()
