"""The output of a process, of C code and of child processes, as a job logs it: real processes."""

import os
import signal
import subprocess
import sys

PRINTS = """
import os, subprocess, sys
from jupyter_deploy.system.output_redirection import redirect_output
texts = []
with redirect_output(texts.append):
    print("by Python")
    os.write(2, b"by the \\x1b[31mC\\x1b[0m library\\n")
    subprocess.run(["sh", "-c", "echo by a program; sleep 600 >&2 &"])
    sys.stderr.write("10%\\r50%\\r100%\\n")
    sys.stdout.write("without an end")
print("afterwards")
print(repr("\\n".join(texts)), file=sys.stderr)
"""


def test_all_output_of_a_process_is_logged_even_while_its_child_runs():
    with subprocess.Popen(
        [sys.executable, "-c", PRINTS],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            assert process.wait(60) == 0
            assert process.stdout.read() == "afterwards\n"
            logged = process.stderr.readline()
        finally:
            os.killpg(process.pid, signal.SIGKILL)
    for line in ("by Python", "by the C library", "by a program", "100%", "without an end"):
        assert line in logged
    assert "10%" not in logged


PRINTS_ON = """
import subprocess
from jupyter_deploy.system.output_redirection import redirect_output
with redirect_output(lambda text: None):
    subprocess.run(["sh", "-c", "yes &"])
print("afterwards")
"""


def test_a_child_that_prints_without_end_does_not_delay_the_jobs_end():
    with subprocess.Popen(
        [sys.executable, "-c", PRINTS_ON], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            assert process.stdout.readline() == "afterwards\n"
        finally:
            os.killpg(process.pid, signal.SIGKILL)
