"""``python -m scripts.bench [SUBJECT …] [--write]``: measure, print, and write docs/performance.md."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from .deploys import deploys
from .figures import Figure, table
from .guards import guards
from .records import comparisons
from .shadows import shadows
from .startup import startup
from .traffic import promotions, toggles
from .weights import weights

SUBJECTS: dict[str, Callable[[], Iterator[Figure]]] = {
    "toggles": toggles,
    "promotions": promotions,
    "shadows": shadows,
    "deploys": deploys,
    "guards": guards,
    "startup": startup,
    "comparisons": comparisons,
    "weights": weights,
}
PAGE = Path(__file__).parents[2] / "docs" / "performance.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def main() -> None:
    """Run the benchmarks that are named, or all."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("subjects", nargs="*", help=f"of: {', '.join(SUBJECTS)} (default: all)")
    parser.add_argument("--write", action="store_true", help="write the table into docs/performance.md")
    given = parser.parse_args()
    unknown = set(given.subjects) - SUBJECTS.keys()
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(SUBJECTS)}")
    began = time.monotonic()
    figures = []
    for subject in given.subjects or SUBJECTS:
        for figure in SUBJECTS[subject]():
            said = f" (aim {figure.aim}: {figure.verdict.strip('*')})" if figure.aim else ""
            print(f"{figure.subject}: {figure.name}: {figure.shown}{said}  {figure.note}", flush=True)
            figures.append(figure)
    if given.write:
        _write(figures, time.monotonic() - began)


def _write(figures: list[Figure], seconds: float) -> None:
    cores = len(os.sched_getaffinity(0))
    machine = f"{platform.system()} {platform.machine()}, {cores} processors, Python {platform.python_version()}"
    text = PAGE.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    measured = f"Measured on {machine}, in {seconds / 60:.0f} minutes, by `make bench`:\n\n{table(figures)}"
    PAGE.write_text(f"{before}{BEGIN}\n{measured}\n{END}{after}")


if __name__ == "__main__":
    sys.exit(main())
