"""The states of pods in words: why one does not start. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Json = dict[str, Any]

_PULLS = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable")
_FATAL_PULLS = ("InvalidImageName", "ErrImageNeverPull")
_CRASHES = 2
"""Ends of a container after which its start counts as failed: one may be the node's fault."""

WRONG_ANSWERS, NOT_LOADED, WRONG_SETTING = 3, 1, 2
"""Exit codes of a release that no second try changes; see ``serving/container.py``."""


def ready(pod: Json) -> bool:
    """Whether the pod answers requests, and is not about to end."""
    conditions = pod.get("status", {}).get("conditions") or []
    return not ending(pod) and any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def ending(pod: Json) -> bool:
    return bool(pod["metadata"].get("deletionTimestamp")) or pod.get("status", {}).get("phase") in (
        "Succeeded",
        "Failed",
    )


def reason(pod: Json) -> str:
    """Why the pod is not ready, in words; empty: it is, or it is only starting."""
    status = pod.get("status", {})
    if status.get("reason") == "Evicted":
        return f"evicted from its node: {status.get('message', '')}".rstrip(": ")
    for condition in status.get("conditions") or []:
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return f"no node can run it: {_line(condition.get('message', 'unschedulable'))}"
    for container in status.get("containerStatuses") or []:
        if words := _container_in_words(container):
            return words
    return ""


def _container_in_words(container: Json) -> str:
    waiting = (container.get("state") or {}).get("waiting") or {}
    why, message = waiting.get("reason", ""), _line(waiting.get("message", ""))
    if why in _PULLS:
        return f"its image cannot be pulled: {message or container.get('image', '')}"
    if why in ("CreateContainerConfigError", "CreateContainerError", "RunContainerError"):
        return f"its container cannot be created: {message}"
    ended = _last_end(container)
    if ended and not container.get("ready"):
        if ended.get("reason") == "OOMKilled" or ended.get("exitCode") == 137:
            return "it ran out of memory (exit code 137): give it more, resources memory=…"
        said = _line(ended.get("message", ""))
        return f"its process ended with exit code {ended.get('exitCode')}{f': {said}' if said else ''}"
    return ""


def fatal(pod: Json) -> str:
    """Why waiting for the pod is of no use, in words; empty: it may still start."""
    for container in pod.get("status", {}).get("containerStatuses") or []:
        waiting = (container.get("state") or {}).get("waiting") or {}
        message = str(waiting.get("message", ""))
        # The back-off comes after the second refusal; a missing image will not appear.
        refused = waiting.get("reason") in ("ImagePullBackOff", *_FATAL_PULLS) or (
            waiting.get("reason") == "ErrImagePull" and any(word in message for word in ("not found", "denied"))
        )
        ended = _last_end(container) if not container.get("ready") else None
        final = ended is not None and (
            ended.get("exitCode") in (WRONG_ANSWERS, WRONG_SETTING) or container.get("restartCount", 0) >= _CRASHES
        )
        if refused or final:
            return _container_in_words(container)
    return ""


def _last_end(container: Json) -> Json | None:
    for state in (container.get("state") or {}, container.get("lastState") or {}):
        if ended := state.get("terminated"):
            found: Json = ended
            return found
    return None


def in_words(pods: Iterable[Json], wanted: int) -> str:
    """``2 of 3 pods are ready; no node can run it: …``; empty: all are ready."""
    living = [pod for pod in pods if not ending(pod)]
    if sum(map(ready, living)) >= wanted:
        return ""
    reasons = dict.fromkeys(filter(None, map(reason, (pod for pod in living if not ready(pod)))))
    head = count_in_words(living, wanted)
    return "; ".join((head, *reasons)) if reasons else f"{head}, {'starting' if living else 'there is no pod yet'}"


def count_in_words(pods: Iterable[Json], wanted: int) -> str:
    """``2 of 3 pods are ready``."""
    count = sum(map(ready, pods))
    return f"{count} of {max(wanted, count)} pods {'is' if count == 1 else 'are'} ready"


def _line(text: str) -> str:
    return " ".join(text.split())[:500]
