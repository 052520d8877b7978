"""``python -m scripts.cluster.bench``: the figures of an endpoint in the cluster, next to their aims.

The tests of ``tests/cluster`` measure and print them; they fail if a request does. Nothing else should run meanwhile.
"""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime

FOLDER = "tests/cluster"
TESTS = (
    "test_deploys.py",
    "test_gateway.py::test_no_request_fails_while_shares_toggle_and_all_pods_confirm",
    "test_records.py",
    "test_scaling.py",
    "test_plan.py::test_fifty_endpoints_are_planned_in_one_look",
    "test_faults.py",
)
AIMS = {
    "code-only deploy": "≤ 15 s",
    "gateway overhead": "as on one machine",
    "50 toggles confirmed": "p95 ≤ 1.0 s",
    "50 toggles:": "0 failed",
    "records in the bucket": "≤ 30 s",
    "compare": "coverage ≥ 99 %",
    "0 -> 1: ": "≤ 5 s",
    "0 -> 1 for 40": "all answered",
    "1 -> 4 replicas, autoscaler every 2 s": "≤ 10 s",
    "1 -> 4 replicas, autoscaler every 15 s": "as it is",
    "while replicas rise": "0 failed",
    "plan of 50": "≤ 5 s",
    "a node killed": "only requests in flight there",
}
"""The beginning of a printed line -> its aim."""


def main() -> int:
    """Run the tests and print their figures; return the exit code of the tests."""
    print(
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}",
        flush=True,
    )
    command = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider"]
    missing = dict(AIMS)
    with subprocess.Popen(
        [*command, *(f"{FOLDER}/{test}" for test in TESTS)], stdout=subprocess.PIPE, text=True
    ) as tests:
        for line in tests.stdout or ():
            text = line.lstrip(".").strip()
            if aim := next((aim for start, aim in AIMS.items() if text.startswith(start)), ""):
                missing = {start: each for start, each in missing.items() if not text.startswith(start)}
                print(f"{text}  (aim: {aim}; load {os.getloadavg()[0]:.1f})", flush=True)
            elif "requests failed" in text:
                print(f"{text}  (load {os.getloadavg()[0]:.1f})", flush=True)
            elif text.startswith(("E  ", "FAILED", "ERROR")) or " passed" in text or " failed" in text:
                print(text, flush=True)
    for start in missing:
        print(f"not measured: {start}")
    return tests.returncode


if __name__ == "__main__":
    sys.exit(main())
