"""Take the pictures of docs/images again: ``python -m scripts.screenshots``, or ``make screenshots``.

The tests of JupyterLab write a picture at each step into the folder that NBDEPLOY_SCREENSHOTS names: a real
JupyterLab, kernel, browser, gateway and registry. This program runs these tests and copies the pictures of ``PICTURES``
to docs/images, each with a palette of 256 colours, which makes it a third as large. Look at each before you commit it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"

# The tests, up to the one that takes the last picture of its story.
TESTS = (
    "tests/e2e/browser/test_quickstart.py::test_it_runs_from_notebook_to_promoted_and_rolled_back",
    "tests/e2e/browser/test_lab_extension.py::test_from_a_trained_model_to_a_shadow_in_the_sidebar_by_mouse",
    "tests/e2e/browser/test_lab_extension.py::test_the_shadow_switch_and_what_others_change_meet_in_one_state",
    "tests/e2e/browser/test_lab_extension.py::test_the_second_of_two_concurrent_changes_is_a_conflict_and_overwrites_nothing",
    "tests/e2e/browser/test_lab_extension.py::test_every_part_of_an_endpoint_is_shown_and_accessible",
    "tests/e2e/browser/test_lab_extension.py::test_an_endpoint_is_served_by_a_schedule_and_then_by_a_stream",
    "tests/e2e/browser/test_lab_extension.py::test_a_search_that_is_ended_in_the_middle_becomes_a_table_and_a_notebook",
    "tests/e2e/browser/test_panel.py::test_every_control_has_a_name_and_is_reached_by_tab_alone",
    "tests/e2e/browser/test_panel.py::test_a_shadow_is_switched_and_its_percent_set_by_keys_alone",
    "tests/e2e/browser/test_panel.py::test_a_change_that_somebody_else_made_meanwhile_is_shown_and_none_is_lost",
    "tests/e2e/browser/test_panel.py::test_it_counts_live_and_compares_with_a_chart",
)

# A picture of docs/images -> the picture of a test.
PICTURES = {
    "comparison.png": "quickstart-comparison.png",
    "lab-compare-light.png": "lab-compare-light.png",
    "lab-dialog-light.png": "lab-dialog-light.png",
    "lab-find-job-light.png": "lab-find-job-light.png",
    "lab-job.png": "lab-job.png",
    "lab-preview.png": "lab-preview.png",
    "lab-records-light.png": "lab-records-light.png",
    "lab-serve-by.png": "lab-serve-by.png",
    "lab-sidebar-light.png": "lab-sidebar-light.png",
    "lab-try-it-dark.png": "lab-try-it-dark.png",
    "panel-conflict.png": "panel-conflict.png",
    "panel.png": "panel-light.png",
}


def main() -> int:
    """Run the tests and replace the pictures that they took; return 1 if a test failed or a picture is missing."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--timeout=1200", *TESTS]
        ended = subprocess.run(command, cwd=ROOT, env=os.environ | {"NBDEPLOY_SCREENSHOTS": folder}, check=False)
        missing = [name for name, taken in PICTURES.items() if not _replace(name, Path(folder) / taken)]
    if missing:
        print(f"no test took {', '.join(missing)}: see the failures above", file=sys.stderr)
    return 1 if missing or ended.returncode else 0


def _replace(name: str, taken: Path) -> bool:
    """Write a picture to docs/images; return whether a test took it."""
    if not taken.exists():
        return False
    with Image.open(taken) as picture:
        picture.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(IMAGES / name, optimize=True)
    return True


if __name__ == "__main__":
    sys.exit(main())
