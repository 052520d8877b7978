"""Attacks on what endpoints rely on: a cleaned runtime directory, a stolen port, a moved tag.

    python -m scripts.attacks [removed-runtime] [stolen-port] [moved-tag]    (default: all)

Each attack is what its tests in tests/contract do to real processes, or to a real registry. It prints, for each, the
number of promises that held and that broke; one that could not be tried counts as broken. The exit code is 1 if one
broke.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree as ET

ROOT = Path(__file__).resolve().parents[1]
ATTACKS = {
    "removed-runtime": "test_local_target_removed_runtime.py",
    "stolen-port": "test_local_target_stolen_port.py",
    "moved-tag": "test_image_trust.py",
}


def judged(name: str) -> tuple[int, list[str]]:
    """Run an attack; return the number of its promises, and those that broke."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", f"tests/contract/{ATTACKS[name]}"]
        variables = os.environ | {"NBDEPLOY_REQUIRE_ALL": "1"}
        ended = subprocess.run(command, cwd=ROOT, env=variables, stdout=subprocess.PIPE, text=True, check=False)
        if not report.exists():
            sys.exit(ended.stdout)
        return counted(report.read_text(encoding="utf-8"))


def counted(report: str) -> tuple[int, list[str]]:
    """Read the number of promises, and the names of those that broke, from pytest's report."""
    cases = ET.fromstring(report).findall(".//testcase")  # noqa: S314 - pytest has just written it
    kinds = ("failure", "error", "skipped")
    return len(cases), [case.get("name", "") for case in cases if any(case.find(kind) is not None for kind in kinds)]


def main() -> None:
    """Attack, print and judge."""
    parser = argparse.ArgumentParser(prog="python -m scripts.attacks", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("attacks", nargs="*", metavar="ATTACK", choices=[*ATTACKS, []], default=[])
    names = parser.parse_args().attacks or ATTACKS
    failed = False
    for name in names:
        count, broken = judged(name)
        print(f"{name}: {count} promises, {len(broken)} broken {', '.join(broken)}".rstrip(), flush=True)
        failed = failed or bool(broken) or not count
    sys.exit(failed)


if __name__ == "__main__":
    main()
