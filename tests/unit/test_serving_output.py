"""Printing to a full disk."""

import subprocess
import sys

PRINTS = """
import sys
sys.path.insert(0, {path!r})
from jupyter_deploy.serving.output import keep_writing
if {forgiving}:
    keep_writing()
print("x" * 100_000, flush=True)
sys.stderr.write("y\\n")
sys.exit(7)
"""


def exit_code(forgiving):
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
        code = PRINTS.format(path=sys.path[0], forgiving=forgiving)
        return subprocess.run([sys.executable, "-c", code], stdout=full, stderr=full, check=False).returncode


def test_what_cannot_be_printed_is_lost_and_nothing_else():
    assert exit_code(forgiving=False) != 7, "or this test shows nothing"
    assert exit_code(forgiving=True) == 7
