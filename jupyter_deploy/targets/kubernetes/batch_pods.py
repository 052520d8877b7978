"""The pods of a batch's Job: their results as one, and their progress in words."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from jupyter_deploy.domain.errors import TargetError
from jupyter_deploy.serving.batch.sharing import progress_in_words

from . import pods
from .api import Api, Json
from .batches import CONTAINER

_INDEX = "batch.kubernetes.io/job-completion-index"
_MOST_LOG_BYTES = 20_000
_FIGURES = ("state", "partitions", "already", "scored", "replaced", "rows", "refused", "reasons", "seconds")
_SUMMED = ("partitions", "already", "scored", "replaced", "rows", "refused")


def by_job(found: Iterable[Json]) -> dict[str, list[Json]]:
    """Return the last pod of each index of each Job, by the Job's name."""
    newest: dict[str, dict[str, Json]] = defaultdict(dict)
    for pod in sorted(found, key=lambda pod: str(pod["metadata"]["creationTimestamp"])):
        index = (pod["metadata"].get("annotations") or {}).get(_INDEX, "")
        newest[pod["metadata"]["labels"].get("job-name", "")][index] = pod
    return {job: [last[index] for index in sorted(last)] for job, last in newest.items()}


def result_of(found: Sequence[Json]) -> Mapping[str, Any]:
    """Return the result of a Job from its last pods; empty: none yet.

    The pod that has committed has the figures of all. Until then the first fault counts.
    """
    results = [one for pod in found if (one := _result(pod))]
    for wanted in ("complete", "planned"):
        for one in results:
            if one.get("state") == wanted:
                return one
    return next((one for one in results if "problem" in one), results[0] if results else {})


def _result(pod: Json) -> Mapping[str, Any]:
    """Return the result that the program of a pod wrote (``serving.batch.job``); empty: it was killed, or goes on."""
    for container in (pod.get("status") or {}).get("containerStatuses") or ():
        ended = (container.get("state") or {}).get("terminated") or {}
        if container["name"] == CONTAINER:
            with suppress(ValueError):
                found = json.loads(ended.get("message") or "")
                return found if isinstance(found, dict) else {}
    return {}


def figures(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures of ``BatchRunner.run`` in a result."""
    return {key: result[key] for key in _FIGURES if key in result}


def interrupted(found: Sequence[Json]) -> dict[str, Any]:
    """Return the figures of a Job that was ended, as far as its pods wrote them."""
    results = [figures(one) for pod in found if (one := _result(pod)) and "partitions" in one]
    for one in results:
        if one["state"] == "complete":
            return one
    reasons: Counter[str] = Counter()
    for one in results:
        reasons.update(one.get("reasons", {}))
    seconds = max((one["seconds"] for one in results), default=0.0)
    summed = {name: sum(one[name] for one in results) for name in _SUMMED}
    return summed | {"reasons": dict(reasons), "seconds": seconds} if results else {}


def reason(found: Sequence[Json]) -> str:
    """Why a pod without a result does not run, in words; empty: none."""
    return next((words for pod in found if not _result(pod) and (words := pods.reason(pod))), "")


def log_of(api: Api, found: Sequence[Json]) -> str:
    """Return the ends of the logs of the pods that failed, or else of all."""
    failed = [pod for pod in found if (pod.get("status") or {}).get("phase") == "Failed"]
    return api.logs_of(failed or found, CONTAINER, most=4000)


def progress(api: Api, found: Sequence[Json], wanted: int) -> str:
    """Return the latest progress in words; of several pods their sum.

    Parameters
    ----------
    wanted
        The pods that the Job runs at the same time.
    """
    if not found:
        return "waiting for a pod"
    problem = result_of(found).get("problem")
    why = f"a try failed, another one follows: {problem}" if problem else reason(found)
    begun = [pod for pod in found if (pod.get("status") or {}).get("startTime") and pod["status"]["phase"] != "Pending"]
    if why and (wanted == 1 or not begun):
        return why
    if not begun:
        return "its pod starts" if wanted == 1 else "its pods start"
    known: list[Mapping[str, Any]] = []
    said = ""
    for pod in begun:
        entry = _last_entry(api, pod)
        said = said or str(entry.get("message", ""))
        known += [entry["progress"]] if "progress" in entry else []
    words = progress_in_words(known) if known else said or "loading the model"
    return f"{words}; {why}" if why else words


def _last_entry(api: Api, pod: Json) -> Mapping[str, Any]:
    """Return the last line of progress in a pod's log; of one that has ended the last one with figures."""
    lines: list[str] = []
    with suppress(TargetError):
        lines = api.logs(pod["metadata"]["name"], CONTAINER, most=_MOST_LOG_BYTES).splitlines()
    latest: Mapping[str, Any] = {}
    for line in reversed(lines):
        with suppress(ValueError):
            entry = json.loads(line)
            if isinstance(entry, dict) and entry.get("event") == "progress":
                if "progress" in entry:
                    return entry
                latest = latest or entry
    return latest
