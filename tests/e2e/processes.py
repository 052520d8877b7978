"""Which processes serve a test's home."""

import contextlib
import hashlib
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

from jupyter_deploy.targets.local.supervisor.identities import Identities
from tests.command_lines import command_line, ended
from tests.e2e.conftest import until

END_SECONDS = 40


def end_jupyter(process, how=signal.SIGTERM):
    """End a Jupyter server, and its kernels at once: after the server's end another process is their parent.

    Jupyter waits at its exit for all threads. A thread of AnyIO ends with the event loop's task that started it; if the
    loop stops before this task, the thread waits for work for ever (AnyIO's threads are no daemons). So a server that
    was given time to end is killed.
    """
    children = psutil.Process(process.pid).children() if process.poll() is None else []
    kernels = [child for child in children if any("kernel-" in word for word in words(child))]
    process.send_signal(how)
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for kernel in kernels:
        with contextlib.suppress(psutil.NoSuchProcess):
            kernel.kill()


def words(process):
    """A process's command line; none if it has ended, such as a kernel that was shut down a moment ago."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def start(home, *arguments, **options):
    """``nbdeploy …`` in the background."""
    return subprocess.Popen(
        [sys.executable, "-m", "jupyter_deploy", *map(str, arguments)],
        env=home.environment,
        text=True,
        **({"stdout": subprocess.DEVNULL} | options),
    )


def at_once(home, *calls):
    """Several calls of ``nbdeploy``, begun together; their ends, in this order."""
    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(lambda arguments: home.run(*arguments, check=False), calls))


def processes(home):
    """Workers, gateway, archivist, exporter, supervisor and its keeper of this home."""
    wanted = home.environment["NBDEPLOY_HOME"]
    # Envoy's command line and environment speak of the runtime directory alone, which is named after the home.
    runtime = f"-{hashlib.sha256(os.fsencode(wanted)).hexdigest()[:8]}/"
    found = []
    for process in psutil.process_iter():
        try:
            line = command_line(process)
            environment = process.environ()
            gone = ended(process)
        except psutil.Error:
            continue
        ours = wanted in line or runtime in line or any(wanted in value for value in environment.values())
        programs = (
            "container.py",
            "serving.hosting.pool",
            "zygote.py",
            "activator",
            "envoy",
            "archivist",
            "exporter",
            "supervisord",
            "keeper",
        )
        if ours and not gone and any(word in line for word in programs):
            found.append(process)
    return found


def running(home):
    """Their command lines."""
    lines = []
    for process in processes(home):
        try:
            lines.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return lines


def command(home, word):
    """Ids of the processes with this word in their command line."""
    found = []
    for process in processes(home):
        try:
            if word in " ".join(process.cmdline()):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def kill_programs(home):
    """Kill supervisor, keeper and gateway, of which each would start the others again."""
    identities = Identities(Path(home.environment["NBDEPLOY_HOME"]))
    wanted = ("supervisor@0", "keeper@0", "gateway@0")  # a deploy does not wait for the keeper
    pids = until(lambda: found if set(wanted) <= set(found := identities.running()) else None)
    killed = {name: pids[name] for name in wanted}
    for pid in killed.values():  # stopped first, so that none starts another one
        os.kill(pid, signal.SIGSTOP)
    for pid in killed.values():
        os.kill(pid, signal.SIGKILL)
    until(lambda: not set(killed) & set(identities.running()))


def waits_for_a_lock():
    """Whether the kernel knows of one of this process's threads that waits for a flock."""
    return any("->" in line and f" {os.getpid()} " in line for line in Path("/proc/locks").read_text().splitlines())
