"""Output of a process to a full disk, and as JSON lines."""

import json
import subprocess
import sys
from pathlib import Path

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
    with Path("/dev/full").open("w") as full:
        code = PRINTS.format(path=sys.path[0], forgiving=forgiving)
        return subprocess.run([sys.executable, "-c", code], stdout=full, stderr=full, check=False).returncode


def test_a_failed_print_loses_its_output_only():
    assert exit_code(forgiving=False) != 7, "or this test shows nothing"
    assert exit_code(forgiving=True) == 7


SAYS = """
import os, sys
sys.path.insert(0, {path!r})
from jupyter_deploy.serving.output import keep_writing, redirect_output
redirect_output(as_json={as_json})
keep_writing()
print("one\\ntwo", end="")
print(" and more")
print('{{"level": "info", "message": "own"}}')
print("{{no json")
print()
sys.stderr.write("caf\\xe9\\n")
sys.stdout.buffer.write(b"\\xff\\n")
sys.stdout.flush()
print("x" * 200_000, end="", flush=True)
"""


def said(*, as_json):
    code = SAYS.format(path=sys.path[0], as_json=as_json)
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert ended.stderr == b""
    return ended.stdout.decode("utf-8", "backslashreplace").splitlines()


def test_printed_lines_become_json_and_json_lines_stay():
    lines = [json.loads(line) for line in said(as_json=True)]
    told = [(line.get("logger"), line["message"]) for line in lines]
    assert told[:6] == [
        ("stdout", "one"),
        ("stdout", "two and more"),
        (None, "own"),
        ("stdout", "{no json"),
        ("stderr", "café"),
        ("stdout", "\\xff"),
    ]
    assert "".join(message for _, message in told[6:]) == "x" * 200_000


def test_in_the_text_format_all_output_is_on_standard_output():
    assert said(as_json=False)[:3] == ["one", "two and more", '{"level": "info", "message": "own"}']
