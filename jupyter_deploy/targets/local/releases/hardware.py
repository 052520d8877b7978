"""Processors, memory and devices of this machine, a release's share of them, and the text that describes it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jupyter_deploy.domain.base import duration_in_words, size_in_words
from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.release.resources import ANY, Resources, require_capacity
from jupyter_deploy.serving.hosting.forking import THREADS
from jupyter_deploy.serving.hosting.options import APART
from jupyter_deploy.serving.hosting.processors import processors, share

from . import limits


def require_hardware(resources: Resources) -> None:
    """Raise InvalidInput for more resources than this machine has."""
    if resources.replicas is not None:
        raise InvalidInput(
            f"replicas={resources.replicas} is for a cluster: this machine runs one of a release",
            f"write workers=… for more processes (1-8: as many as the load needs) and replicas={ANY}, or deploy it "
            "with --target kubernetes",
        )
    memory = None
    with suppress(ValueError, OSError):
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    require_capacity(resources, cpus=share(), memory=memory)


def variables(resources: Resources) -> dict[str, str]:
    """Variables for libraries: threads and devices. A pool sets those of its workers itself."""
    threads = resources.threads_on(processors())
    settings = {} if threads is None else dict.fromkeys(THREADS, str(threads))
    if resources.gpu is not None:
        settings["CUDA_VISIBLE_DEVICES"] = "-1" if resources.gpu == "none" else resources.gpu
    return settings


def enforced(resources: Resources, state: Path, folder: Path) -> tuple[str, ...]:
    """How a running release's resources are enforced, one line each.

    ``state`` is the file that ``limits`` wrote, ``folder`` the folder that the workers share.
    """
    enforcement = limits.read(state)
    lines = []
    if resources.processes > 1:
        lines.append(f"{resources.workers} workers, {_sharing_words(folder / APART)}")
    if resources.idle_after is not None:
        lines.append(f"stops when idle for {duration_in_words(resources.idle_after)}, and starts on a request")
    if "cpu" in enforcement:
        lines.append(_processor_words(enforcement["cpu"]))
    if "memory" in enforcement:
        lines.append(_memory_words(enforcement["memory"], limits.killed(state)))
    return (*lines, *thread_words(resources))


def thread_words(resources: Resources) -> tuple[str, ...]:
    """The settings of libraries (``variables``), one line each."""
    lines, cpus = [], processors()
    threads = resources.threads_on(cpus)
    if threads is not None:
        lines.append(f"{threads} thread{'s' * (threads != 1)} a worker, by the libraries' own settings")
        at_once, allowed = threads * resources.processes, min(resources.cpu or cpus, cpus)
        if at_once > max(allowed, 1):
            lines.append(f"so {at_once} threads share {allowed:g} processor{'s' * (allowed != 1)}")
    if resources.gpu is not None:
        lines.append(f"gpu {resources.gpu}, by CUDA_VISIBLE_DEVICES")
    return tuple(lines)


def _sharing_words(apart: Path) -> str:
    reason = apart.read_text("utf-8") if apart.exists() else ""
    if reason:
        return f"each of which has loaded the model, since that cannot be shared: {reason}"
    return "forked from one process that has loaded the model"


def _processor_words(limit: Mapping[str, Any]) -> str:
    if limit["how"] == limits.CGROUP:
        return f"cpu {limit['cpu']:g}, by a control group"
    cores = ", ".join(map(str, limit["cores"]))
    return f"cpu {limit['cpu']:g}, by keeping it to whole processors ({cores}): no control group can be made here"


def _memory_words(limit: Mapping[str, Any], killed: tuple[int, float]) -> str:
    ways = {
        limits.CGROUP: "by a control group",
        limits.WATCH: "of each process by RLIMIT_DATA, of all by a check every second: no control group here",
        limits.RLIMIT: "of each process by RLIMIT_DATA: there are no control groups here",
    }
    count, last = killed
    text = f"memory {size_in_words(limit['bytes'])}, {ways[limit['how']]}"
    if not count:
        return text
    when = f"{datetime.fromtimestamp(last, UTC):%Y-%m-%d %H:%M:%S} UTC"
    return f"{text}; out of memory {count} time{'s' * (count != 1)}, the last time at {when}"
