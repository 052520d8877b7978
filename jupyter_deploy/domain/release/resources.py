"""A release's resources: their text form, values and limits. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from jupyter_deploy.domain.base import Value, duration_in_words, size_in_words
from jupyter_deploy.domain.errors import InvalidInput
from jupyter_deploy.domain.expressions import SECONDS

Resource = Literal["cpu", "memory", "gpu", "workers", "threads", "idle_after", "replicas"]
MOST_WORKERS = 64
MOST_REPLICAS = 1000
LEAST_MEMORY = 32 * 2**20
LEAST_IDLE, MOST_IDLE = 1.0, 365 * 86400.0
_IDLE_SECONDS = 300.0
ANY = "any"

_BYTES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
_EXAMPLES: dict[Resource, str] = {
    "cpu": "cpu=2 or cpu=0.5",
    "memory": "memory=512MB or memory=2GiB",
    "gpu": "gpu=0 for the first one, gpu=0,1 or gpu=none",
    "workers": f"workers=4 (1 to {MOST_WORKERS}), or workers=1-8 for as many as the load needs",
    "threads": "threads=2",
    "idle_after": "idle_after=30m (at least 1s)",
    "replicas": "replicas=3, replicas=2-20 for as many as the load needs, or replicas=0-20 for none without requests",
}


def parse_resources(value: Any) -> Any:
    """``NAME=VALUE`` texts (one or a list), or a mapping, as plain values: bytes, numbers, devices; None: any.

    Raises
    ------
    ValueError
        An unknown name, a repeated name, or a wrong value.
    """
    if value is None:
        return {}
    if isinstance(value, Mapping):
        return {_name(name): _value(_name(name), value) for name, value in value.items()}
    if not isinstance(value, str | list | tuple):
        return value  # pydantic reports the type
    options: dict[str, Any] = {}
    for text in [value] if isinstance(value, str) else value:
        name, equals, amount = (part.strip() for part in str(text).partition("="))
        if not equals:
            raise ValueError(f"'{text}' is not NAME=VALUE: write, for example, {'; '.join(_EXAMPLES.values())}")
        if name in options:
            raise ValueError(f"{name} is given twice: name each resource once")
        options[_name(name)] = _value(_name(name), amount)
    return options


def parse_memory(value: Any) -> Any:
    """``512MB``, ``1.5 GiB`` as bytes; a number is bytes."""
    return _value("memory", value)


def parse_workers(value: Any) -> Any:
    """``4``, or ``1-8`` for a range."""
    return _value("workers", value)


def parse_replicas(value: Any) -> Any:
    """``3``, or ``2-20`` for a range."""
    return _value("replicas", value)


def parse_idle_after(value: Any) -> Any:
    """``30m``, ``90 s`` as seconds; a number is seconds."""
    return _value("idle_after", value)


def _name(name: Any) -> Resource:
    if name not in _EXAMPLES:
        raise ValueError(f"'{name}' is no resource: the resources are {', '.join(_EXAMPLES)}")
    known: Resource = name
    return known


def _value(name: Resource, value: Any) -> float | int | str | None:
    if value is None or value == ANY:
        return None
    parsed: float | int | str | None = _PARSERS[name](value)
    if parsed is None:
        raise ValueError(f"{name} cannot be {value!r}: write {_EXAMPLES[name]}, or {name}={ANY} for no limit")
    return parsed


def _cpu(value: Any) -> float | None:
    number = _number(value)
    return number if number is not None and 0.01 <= number < float("inf") else None


def _memory(value: Any) -> int | None:
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?i?)b?(?:ytes)?\s*", str(value).lower())
    if not match or match[2] not in _BYTES:
        return None
    size = int(float(match[1]) * _BYTES[match[2]])
    if size < LEAST_MEMORY:
        raise ValueError(
            f"memory of {size_in_words(size)} is too little to start with: write {_EXAMPLES['memory']}, with a unit: a "
            "number alone is bytes"
        )
    return size


def _gpu(value: Any) -> str | None:
    devices = [part.strip() for part in str(value).split(",")]
    plain = all(re.fullmatch(r"\d+|(GPU|MIG)-[A-Za-z0-9/-]+", one) for one in devices)
    return ",".join(devices) if (plain or devices == ["none"]) and not isinstance(value, bool) else None


def _count(most: float) -> Any:
    def counted(value: Any) -> int | None:
        number = _number(value)
        return int(number) if number is not None and number.is_integer() and 1 <= number <= most else None

    return counted


def _workers(value: Any) -> int | str | None:
    """``4``; ``1-8`` as such a text, its bounds in order."""
    bounds = _range("workers", value)
    if bounds is None:
        count: int | None = _count(MOST_WORKERS)(value)
        return count
    least, most = bounds
    if least < 1:
        raise ValueError(
            f"workers={least}-{most} begins below 1: write workers=1-{max(most, 1)}; idle_after=30m stops the last "
            "worker while there are no requests"
        )
    if most > MOST_WORKERS:
        return None
    return least if least == most else f"{least}-{most}"


def _replicas(value: Any) -> int | str | None:
    """``3``; ``2-20`` or ``0-20`` as such a text, its bounds in order."""
    bounds = _range("replicas", value)
    if bounds is None:
        count: int | None = _count(MOST_REPLICAS)(value)
        return count
    least, most = bounds
    if not 1 <= most <= MOST_REPLICAS:
        return None
    return least if least == most else f"{least}-{most}"


def _range(name: Resource, value: Any) -> tuple[int, int] | None:
    """The bounds of ``2-20``; None: it is no range."""
    match = re.fullmatch(r"\s*(\d{1,4})\s*-\s*(\d{1,4})\s*", str(value))
    if match is None:
        return None
    least, most = int(match[1]), int(match[2])
    if least > most:
        raise ValueError(f"{name}={least}-{most} begins with the greater number: write {name}={most}-{least}")
    return least, most


def _idle_after(value: Any) -> float | None:
    match = re.fullmatch(rf"\s*(\d+(?:\.\d+)?)\s*({'|'.join(SECONDS)}|)\s*", str(value).lower())
    seconds = float(match[1]) * SECONDS.get(match[2], 1.0) if match else 0.0
    return seconds if LEAST_IDLE <= seconds <= MOST_IDLE else None


def _number(value: Any) -> float | None:
    try:
        return None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return None


_PARSERS: dict[Resource, Any] = {
    "cpu": _cpu,
    "memory": _memory,
    "gpu": _gpu,
    "workers": _workers,
    "threads": _count(1024),
    "idle_after": _idle_after,
    "replicas": _replicas,
}

ResourceOptions = Annotated[dict[Resource, int | float | str | None], BeforeValidator(parse_resources)]
"""The resources that were given; None: any."""


class Resources(Value):
    """A release's resources; None: any, or the usual number of workers and threads."""

    cpu: float | None = Field(default=None, ge=0.01, description="Processors, such as 2 or 0.5, for all its workers.")
    memory: Annotated[int | None, BeforeValidator(parse_memory)] = Field(
        default=None, ge=LEAST_MEMORY, description="Memory for all its workers together, such as 512MB or 2GiB."
    )
    gpu: str | None = Field(default=None, description="Devices as CUDA counts them, such as 0 or 0,1; none: no device.")
    workers: Annotated[int | str | None, BeforeValidator(parse_workers)] = Field(
        default=None,
        description="Processes, which share the loaded model's memory (default: 1); 1-8: as many as the load needs.",
    )
    threads: int | None = Field(
        default=None, ge=1, le=1024, description="Threads of a worker's numerical libraries (default: cpu / workers)."
    )

    idle_after: Annotated[float | None, BeforeValidator(parse_idle_after)] = Field(
        default=None,
        description="Seconds, or a text such as 30m, without a request after which its workers stop until the next one "
        "(default: never).",
    )
    replicas: Annotated[int | str | None, BeforeValidator(parse_replicas)] = Field(
        default=None,
        description="Pods in a cluster (default: the cluster's setting); 2-20: as many as the load needs; 0-20: none "
        "while there are no requests.",
    )

    @property
    def processes(self) -> int:
        """The greatest number of workers."""
        return int(str(self.workers or 1).rpartition("-")[2])

    @property
    def pooled(self) -> bool:
        """Whether its workers have a parent, which shares the model, changes their number or stops them when idle."""
        return self.processes > 1 or self.idle_after is not None

    def pods(self, default: int) -> tuple[int, int]:
        """The least and the greatest number of pods in a cluster; ``default``: the number if none is given.

        Raises
        ------
        InvalidInput
            It would become idle, and keep pods.
        """
        first, _, last = str(self.replicas or default).partition("-")
        least, most = int(first), int(last or first)
        if self.idle_after is None:
            return least, most
        if self.replicas is not None and least > 0:
            raise InvalidInput(
                f"replicas={self.replicas} keeps pods while there are no requests, and idle_after does not",
                f"write replicas=0-{most}, or leave idle_after out",
            )
        return 0, most

    @property
    def idles(self) -> bool:
        """Whether it has no process while there are no requests."""
        return self.idle_after is not None or str(self.replicas or 1).startswith("0-")

    @property
    def idle_seconds(self) -> float:
        """Seconds without a request after which a release that ``idles`` has no process."""
        return self.idle_after or _IDLE_SECONDS

    def overridden(self, options: Mapping[Any, Any]) -> Resources:
        """These resources with some replaced."""
        return Resources.model_validate(self.model_dump() | dict(options)) if options else self

    def explicit(self) -> dict[str, Any]:
        """The resources that are not None."""
        return self.model_dump(exclude_none=True)

    @property
    def in_container(self) -> dict[str, str]:
        """Variables for a container of a published image: resources that its processes cannot see themselves."""
        variables = {
            "NBDEPLOY_WORKERS": self.workers if self.processes > 1 else None,
            "NBDEPLOY_THREADS": self.threads,
            "NBDEPLOY_IDLE_AFTER": None if self.idle_after is None else math.ceil(self.idle_after),
        }
        return {name: str(value) for name, value in variables.items() if value is not None}

    def threads_on(self, cpus: int) -> int | None:
        """Threads of each worker on a machine with ``cpus`` processors; None: the libraries choose."""
        if self.threads or (self.cpu is None and self.processes == 1):
            return self.threads
        return max(1, int(min(self.cpu or cpus, cpus) / self.processes))

    @property
    def words(self) -> str:
        """``4 workers, cpu 2, memory 512 MB``; empty: all are None."""
        parts = []
        if self.workers:
            parts.append(f"{self.workers} worker{'s' * (self.workers != 1)}")
        if self.cpu:
            parts.append(f"cpu {self.cpu:g}")
        if self.memory:
            parts.append(f"memory {size_in_words(self.memory)}")
        if self.gpu:
            parts.append(f"gpu {self.gpu}")
        if self.threads:
            parts.append(f"{self.threads} thread{'s' * (self.threads != 1)} a worker")
        if self.idle_after:
            parts.append(f"stops when idle for {duration_in_words(self.idle_after)}")
        if self.replicas:
            parts.append(f"{self.replicas} replica{'s' * (self.replicas != 1)}")
        return ", ".join(parts)


def require_capacity(resources: Resources, *, cpus: float, memory: int | None) -> None:
    """Raise InvalidInput for more resources than a machine has."""
    if resources.cpu and resources.cpu > cpus:
        raise InvalidInput(f"cpu={resources.cpu:g} is more than this machine has", f"write {cpus:g} or less")
    if resources.memory and memory and resources.memory > memory:
        raise InvalidInput(
            f"memory={size_in_words(resources.memory)} is more than this machine has",
            f"write {size_in_words(memory)} or less",
        )
