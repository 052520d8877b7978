"""``python -m scripts.bench [SUBJECT …] [--write]``: measure, print, and write docs/performance.md."""

from __future__ import annotations

import argparse
import os
import platform
import signal
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from .bursts import bursts
from .charts import throughput
from .checks import checks
from .deploys import deploys
from .figures import Figure, table
from .idle import idle
from .images import images
from .lab import MINUTES, labs
from .peers.bare import BARE
from .r_models import r_models
from .records import comparisons
from .replacing import replaced
from .serving import ONE_ROW, ours_only, serving
from .shadows import shadows
from .startup import startup
from .streams import streams
from .traffic import promotions, toggles
from .translations import translations
from .validate import validate
from .watch import watches
from .weights import weights

SUBJECTS: dict[str, Callable[[], Iterator[Figure]]] = {
    "toggles": toggles,
    "promotions": promotions,
    "shadows": shadows,
    "serving": serving,
    "bursts": bursts,
    "streams": streams,
    "replaced": replaced,
    "deploys": deploys,
    "checks": checks,
    "startup": startup,
    "comparisons": comparisons,
    "weights": weights,
    "validate": validate,
    "lab": labs,
    "images": images,
    "idle": idle,
    "translations": translations,
    "r": r_models,
    "watch": watches,
}
PAGE = Path(__file__).parents[2] / "docs" / "performance.md"
CHART = Path("images/serving.svg")
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def main() -> None:
    """Run the benchmarks that are named, or all."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("subjects", nargs="*", help=f"of: {', '.join(SUBJECTS)} (default: all)")
    parser.add_argument("--write", action="store_true", help="write what was measured into docs/performance.md")
    parser.add_argument(
        "--minutes", type=float, default=MINUTES, help="of updates to Lab's page (default: %(default)g)"
    )
    parser.add_argument("--only", choices=["ours"], help="of 'serving': a quick look, without the peers")
    given = parser.parse_args()
    unknown = set(given.subjects) - SUBJECTS.keys()
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(SUBJECTS)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as Ctrl-C: what was started is ended
    began = time.monotonic()
    figures = []
    subjects = dict(SUBJECTS)
    subjects["lab"] = lambda: labs(given.minutes)
    if given.only:
        subjects["serving"] = ours_only
    for subject in given.subjects or SUBJECTS:
        begun = time.monotonic()
        for figure in subjects[subject]():
            said = f" (aim {figure.aim}: {figure.verdict.strip('*')})" if figure.aim else ""
            print(f"{figure.subject}: {figure.name}: {figure.shown}{said}  {figure.note}", flush=True)
            figures.append(figure)
            if given.write and given.subjects:  # a part may be cut off
                _write([figure], 0, whole=False)
        print(f"{subject}: took {time.monotonic() - begun:.0f} s", flush=True)
    if given.write and not given.subjects:
        _write(figures, time.monotonic() - began, whole=True)


def _write(figures: list[Figure], seconds: float, *, whole: bool) -> None:
    """Write the page's table: of a whole run anew, else the rows that were measured."""
    cores = len(os.sched_getaffinity(0))
    machine = f"{platform.system()} {platform.machine()}, {cores} processors, Python {platform.python_version()}"
    text = PAGE.read_text()
    before, _, rest = text.partition(BEGIN)
    former, _, after = rest.partition(END)
    rows = table(figures, datetime.now(UTC).date().isoformat(), "" if whole else former)
    took = f"in {seconds / 60:.0f} minutes, by `make bench`" if whole else "by `python -m scripts.bench`"
    measured = f"Measured on {machine}, {took}:\n\n{rows}"
    drawn = whole and throughput(figures, ONE_ROW, PAGE.parent / CHART, reach=BARE.name)
    if drawn or str(CHART) in former:
        measured += f"\n\n![{ONE_ROW}: requests a second of each server]({CHART})"
    PAGE.write_text(f"{before}{BEGIN}\n{measured}\n{END}{after}")


if __name__ == "__main__":
    main()
