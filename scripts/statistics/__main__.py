"""``python -m scripts.statistics [TOPIC …]``: run the topics (default: all) and write docs/statistics.md.

The topics run in two processes, the longest first; each has its own seeds, so the order changes no figure.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from . import (
    canary,
    clusters,
    confidence,
    drift,
    duration,
    gates,
    ground_truth,
    independent,
    ramps,
    seasonal_drift,
    segments,
)
from .table import markdown, replace_table

PAGE = Path(__file__).resolve().parents[2] / "docs" / "statistics.md"

TOPICS = {
    "gates": gates.rows,
    "drift": drift.rows,
    "hours": seasonal_drift.rows,
    "ramps": ramps.rows,
    "canary": canary.rows,
    "clusters": clusters.rows,
    "ground_truth": ground_truth.rows,
    "independent": independent.rows,
    "segments": segments.rows,
    "duration": duration.rows,
    "confidence": confidence.rows,
}
"""Name of the markers in the page -> function that returns the rows; the longest first."""

_PROCESSES = 2


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m scripts.statistics", description=__doc__)
    parser.add_argument("topics", nargs="*", metavar="TOPIC", help=f"one of {', '.join(TOPICS)} (default: all)")
    names = parser.parse_args().topics or list(TOPICS)
    if unknown := set(names) - set(TOPICS):
        parser.error(f"there is no topic {', '.join(sorted(unknown))}")
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # of the processes below
        os.environ.setdefault(variable, "1")
    began, busy = time.perf_counter(), 0.0
    with ProcessPoolExecutor(_PROCESSES) as pool:
        running = [pool.submit(_run, name) for name in TOPICS if name in names]
        for done in as_completed(running):
            name, table, seconds = done.result()
            PAGE.write_text(replace_table(PAGE.read_text(), name, table))
            busy += seconds
            print(f"{table}\n\n{name}: {seconds:.0f} s of processor\n", file=sys.stderr)
    print(f"all: {time.perf_counter() - began:.0f} s, {busy:.0f} s of processor", file=sys.stderr)


def _run(name: str) -> tuple[str, str, float]:
    """Run a topic in this process: its name, its table and the seconds of processor that it took."""
    began = time.process_time()
    return name, markdown(TOPICS[name]()), time.process_time() - began


if __name__ == "__main__":
    main()
