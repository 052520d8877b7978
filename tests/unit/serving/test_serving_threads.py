"""The threads of a release's numerical libraries take no processor between two calls."""

import subprocess
import sys

import pytest

CALLS = """
import os, sys, time
from pathlib import Path
os.environ["NBDEPLOY_LOG_FORMAT"] = "text"
from jupyter_deploy.serving.hosting import forking, run
if {prepared}:
    run.prepare()
os.environ.update(dict.fromkeys(forking.THREADS, "1"))  # as in a zygote
{imports}
if not os.fork():
    forking._set_threads(2)
    made = 0.0
    others = Path("/proc/self/task")

    def used():
        return sum(int((task / "schedstat").read_text().split()[0]) for task in others.iterdir()
                   if task.name != str(os.getpid()))

    for _ in range(10):
        {call}
        before = used()
        time.sleep(0.03)
        made += (used() - before) / 1e6
    print(len(list(others.iterdir())), made / 10)
    sys.stdout.flush()
    os._exit(0)
os.wait()
"""

TORCH = ("import torch; net, rows = torch.nn.Linear(64, 64), torch.ones(64, 64)", "net(rows)")
NUMPY = ("import numpy; table = numpy.ones((300, 300))", "table @ table")


def milliseconds(model, *, prepared):
    """The processor time that other threads than the main one take after a call."""
    imports, call = model
    code = CALLS.format(imports=imports, call=call, prepared=prepared)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    threads, used = done.stdout.split()[-2:]
    assert int(threads) > 1
    return float(used)


@pytest.mark.parametrize("model", [TORCH, NUMPY], ids=["torch", "numpy"])
def test_threads_of_libraries_sleep_after_a_call(model):
    assert milliseconds(model, prepared=True) < 0.5


def test_without_the_variables_they_would_spin():
    assert milliseconds(TORCH, prepared=False) > 0.5


FORKED = """
import os
from jupyter_deploy.serving.hosting import forking
os.environ.update(dict.fromkeys(forking.THREADS, "1"))  # as in a zygote
import numpy
from threadpoolctl import ThreadpoolController, threadpool_info
forking.find_thread_pools()
search = ThreadpoolController._load_libraries
if not os.fork():
    os.environ["NBDEPLOY_THREADS"] = "2"
    ThreadpoolController._load_libraries = None
    forking.restore_threads()
    ThreadpoolController._load_libraries = search
    print(*(library["num_threads"] for library in threadpool_info()), flush=True)
    os._exit(0)
os.wait()
"""


def test_a_fork_sets_the_threads_of_libraries_that_its_zygote_has_found():
    done = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, check=True, text=True)
    assert set(done.stdout.split()) == {"2"}, done.stderr
