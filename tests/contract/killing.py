"""Run a piece of work in a process and kill it at a random moment, many times a second."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from itertools import count

# What is slow, the imports, is done once; each piece of work then has a forked process of its own.
_FORKING = """
import os, sys
from pathlib import Path
from jupyter_deploy.records import compaction
from jupyter_deploy.records import purge
from jupyter_deploy.records import retention
from jupyter_deploy.records import rotation
purge.FLUSH_SECONDS = 0

def die_at(step):
    # Be killed before the step-th change of the file system.
    seen = 0

    def count(event, arguments):
        nonlocal seen
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_CREAT
        if writes or event in ("os.rename", "os.remove", "os.chmod", "os.utime"):
            seen += 1
            if seen == step:
                os.kill(os.getpid(), 9)

    sys.addaudithook(count)

for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        exec(line)
        os._exit(0)
    print(pid, flush=True)
    sys.stdin.readline()  # until then its id is nobody else's, also when it has ended
    _, status = os.waitpid(pid, 0)
    print(status, flush=True)
"""


class Workshop:
    """Starts and kills; ``kills`` counts the processes that were killed before their end."""

    def __init__(self):
        self.kills = 0
        self._process = subprocess.Popen(
            [sys.executable, "-c", _FORKING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, code, kill_after=None):
        self._process.stdin.write(code + "\n")
        self._process.stdin.flush()
        pid = int(self._process.stdout.readline())
        if kill_after is not None:
            time.sleep(kill_after)
            os.kill(pid, signal.SIGKILL)
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        status = int(self._process.stdout.readline())
        self.kills += status == signal.SIGKILL
        return status

    def seconds(self, code):
        """How long the work takes when nobody kills it."""
        began = time.monotonic()
        assert self.run(code) == 0
        return time.monotonic() - began

    def at_each_step(self, code):
        """Do the work over and over, killed one step later each time; yields the step, until the work ends alive."""
        for step in count(1):
            alive = self.run(f"die_at({step}); {code(step)}") == 0
            yield step
            if alive:
                return

    def close(self):
        self._process.stdin.close()
        self._process.wait()
