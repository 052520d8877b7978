"""The state of a kernel that a notebook can observe; run in kernels to compare the results."""

import atexit
import builtins
import collections
import decimal
import gc
import hashlib
import locale
import logging
import os
import random
import re
import resource
import signal
import sys
import tempfile
import threading
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import threadpoolctl


def plain(value):
    """Without addresses, and without the folder of one run."""
    return re.sub(r"0x[0-9a-f]+", "0x", re.sub(r"/\S*/nbdeploy-run-[^/]+/", "RUN/", str(value)))


def descriptors():
    found = collections.Counter()
    for one in Path("/proc/self/fd").iterdir():
        try:
            kind = str(one.readlink()).partition(":")[0]
            found[plain(kind), os.get_inheritable(int(one.name))] += 1
        except OSError:
            continue  # the folder's own
    return sorted(f"{count} {kind}" for kind, count in found.items() if kind[0] != "anon_inode")


def state():
    gc.collect()  # what is only not yet gone counts nowhere
    umask = os.umask(0o77)
    os.umask(umask)
    status = Path("/proc/self/status").read_text().splitlines()
    main = sys.modules["__main__"]
    streams = sys.stdin, sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__
    pools = threadpoolctl.threadpool_info()
    kept = ("user_api", "internal_api", "num_threads", "threading_layer", "architecture")
    loggers = logging.root.manager.loggerDict.items()
    options = ("display.encoding", "display.max_columns", "display.max_rows", "display.width")
    limits = [name for name in dir(resource) if name.startswith("RLIMIT")]
    return {
        "pools": sorted(str([pool.get(name) for name in kept]) for pool in pools),
        "warnings": [plain(one) for one in warnings.filters],
        "modules": sorted(sys.modules),
        "path": sys.path,
        "argv": [plain(one) for one in (*sys.argv, *sys.orig_argv)],
        "environ": {name: value for name, value in os.environ.items() if name != "JPY_PARENT_PID"},
        "parent": int(os.environ["JPY_PARENT_PID"]) == os.getppid(),
        "cwd": str(Path.cwd()),
        "umask": umask,
        "signals": {int(one): plain(signal.getsignal(one)) for one in signal.valid_signals()},
        "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
        "status": [line for line in status if line.startswith(("SigI", "SigC", "SigB", "Cap", "NoNew"))],
        "descriptors": descriptors(),
        "backend": (plt.get_backend(), hashlib.sha256(plain(dict(plt.rcParams)).encode()).hexdigest()),
        "pandas": {name: plain(pd.get_option(name)) for name in options},
        "loggers": {
            n: (x.level, plain(x.handlers), x.disabled, x.propagate)
            for n, x in loggers
            if isinstance(x, logging.Logger)
        },
        "root logger": (logging.root.level, [plain(one()) for one in logging._handlerList]),
        "main": (sorted(vars(main)), plain(main), hasattr(main, "__file__")),
        "gc": (gc.get_threshold(), gc.isenabled()),
        "flags": (str(sys.flags), sys.getrecursionlimit(), sys.getswitchinterval(), sys.dont_write_bytecode),
        "places": (tempfile.gettempdir(), locale.setlocale(locale.LC_ALL)),
        "limits": {name: resource.getrlimit(getattr(resource, name)) for name in limits},
        "session": (os.getpgid(0) == os.getpid() == os.getsid(0), os.nice(0)),
        "builtins": sorted(vars(builtins)),
        "atexit": atexit._ncallbacks(),
        "hooks": plain([sys.excepthook, sys.displayhook, *sys.meta_path, *sys.path_hooks, threading.excepthook]),
        "streams": ([plain(type(one)) for one in streams], [one.encoding for one in streams]),
        "decimal": plain(decimal.getcontext()),
        "threads": sorted(re.sub(r"Thread-\d+", "Thread", one.name) for one in threading.enumerate()),
        "main thread": threading.main_thread() is threading.current_thread(),
        "stdin": os.read(0, 1) == b"",
        # The last: each is to be another one in each kernel.
        "random": [np.random.rand(), random.random(), os.urandom(4).hex(), next(tempfile._RandomNameSequence())],  # noqa: NPY002
    }
