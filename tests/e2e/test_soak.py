"""A short soak; ``make soak`` is a long one."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.exhaustive

ROOT = Path(__file__).parents[2]


def test_a_short_soak_loses_nothing_and_would_say_so(snapshots):
    tags, bentoml_home = snapshots
    options = ["--seed", "1", "--minutes", "0.2", "--capacity-seconds", "1", "--bentoml-home", bentoml_home]
    ended = subprocess.run(
        [sys.executable, "-m", "scripts.soak", *options, "--tags", *list(tags.values())[:2]],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "seed 1: as promised" in ended.stdout
    for line in ("lost: 0", "doubled: 0", "failed unexplained: 0", "copies without record or reason: 0", "faults: 0"):
        assert f"\n{line}\n" in ended.stdout
    answered, recorded, killed = (
        int(re.search(pattern, ended.stdout)[1]) for pattern in (r"answered (\d+)", r"(\d+)  recorded", r"killed (\d+)")
    )
    assert min(answered, recorded, killed) > 0
    # A record that is taken out is missed.
    assert re.search(r"with the record of soak-\d+ taken out, lost: 1\n", ended.stdout)
