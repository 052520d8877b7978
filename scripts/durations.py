"""docs/test-durations.md: the seconds of each test file, from the output of ``pytest --durations=0``.

First ``make test-all DURATIONS=1 | tee durations.txt``, then ``python -m scripts.durations durations.txt``.
"""

import argparse
import re
import textwrap
from collections import defaultdict
from pathlib import Path

LINE = re.compile(r"^\s*(?P<seconds>[\d.]+)s (?P<phase>setup|call|teardown)\s+(?P<file>tests/\S+?\.py)::", re.MULTILINE)
PAGE = Path("docs/test-durations.md")
LEAST = 5.0
HEAD = """\
# Durations of the tests

Seconds of each test file with three workers on two processors, set-up and teardown included, from
`make test-all DURATIONS=1`, whose output `python -m scripts.durations` turns into this page.
Workers run in parallel and share two processors: the sum is about three times the duration of the
run. Shared set-up (a Lab, a home, a registry) counts for the test that runs first. `make test`
leaves out the files and tests that are marked `exhaustive`.

"""
TAIL = """
## Moved to `make test-all`

Whole files whose subject is one more engine, client, Python or disk are marked at their top. These
tests have a cheaper guard in `make test`:

| `make test-all` alone | its guard in `make test` |
|---|---|
| `test_lab_walks.py` | `test_lab_extension.py`, `test_lab_paths.py` (clicks), `test_panel.py`; none at 250 px |
| `test_capture_cases.py`: values | `test_shapes.py`, `test_capturer.py` |
| `test_capture_cases.py`: an editable install, files | `test_project_code.py`, `test_data_files.py` |
| `test_frameworks.py`: each fit in two fresh processes | `test_quickstart.py`, `test_capture_identity.py` |
| `test_rest_capture.py` | `test_bridge_capture.py`, `test_lab_extension.py` |
| `test_translated_release.py` | `test_translation.py` |
| `test_sample_and_redact.py`: a sample | `test_sampled_and_redacted.py` |
| `test_together.py`: deploys that are killed | `test_main_job.py`: Ctrl-C, and a kill at the start |
| `test_container.py`, `test_validate.py`, `test_rest_endures.py`: the other signal | SIGTERM, SIGINT, SIGKILL |
| `test_local_target_idle.py`: activator or supervisor killed | both killed |
| `test_serving_bentoml.py`: uvicorn and BentoML for each model | each server for one model |
| `test_builder.py`, `test_local_target_life.py`: one more value | the other values |
"""


def main() -> None:
    """Write the page from a log."""
    parser = argparse.ArgumentParser(prog="python -m scripts.durations", description=__doc__)
    parser.add_argument("log", type=Path, help="output of pytest --durations=0")
    parser.add_argument("--note", default="", help="a sentence about this run, for the page")
    given = parser.parse_args()
    note = f"{textwrap.fill(given.note, 100)}\n\n" if given.note else ""
    PAGE.write_text(HEAD + note + table(given.log.read_text("utf-8")) + TAIL, "utf-8")


def table(log: str) -> str:
    """Return the table: one row a file, the slowest first; files below ``LEAST`` seconds in one row."""
    files: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for match in LINE.finditer(log):
        files[match["file"]][match["phase"]] += float(match["seconds"])
    if not files:
        raise SystemExit("the log has no durations: run pytest with --durations=0")
    rows = sorted(((sum(phases.values()), name, phases) for name, phases in files.items()), reverse=True)
    slow = [row for row in rows if row[0] >= LEAST]
    rest = rows[len(slow) :]
    lines = ["| file | seconds | set-up | tests |", "|---|---:|---:|---:|"]
    for total, name, phases in slow:
        lines.append(f"| `{name}` | {total:.0f} | {phases['setup']:.0f} | {phases['call']:.0f} |")
    lines.append(f"| {len(rest)} other files | {sum(row[0] for row in rest):.0f} | | |")
    lines.append(f"| all | {sum(row[0] for row in rows):.0f} | | |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
