"""Prometheus metrics in the default registry, so BentoML's own ``/metrics`` includes them.

A metric is created on first use: prometheus_client decides at import whether it serves one process or many, and
``bentoml serve`` sets that only when it starts its workers.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client import Counter, Gauge, Histogram


_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""Seconds: a model in the event loop takes a millisecond, and a gateway waits for a minute."""


def name_release(endpoint: str, release: str) -> None:
    """Expose the endpoint and the release of this process as ``nbdeploy_release_info``, to join with other metrics.

    The counter of lost records begins with 0 here: a counter that begins with its first loss shows no increase.
    """
    records_lost()
    _release_info().labels(endpoint, release).set(1)


@cache
def _release_info() -> Gauge:
    from prometheus_client import Gauge

    words = "The release that this process serves; join it with the other metrics by instance"
    return Gauge("nbdeploy_release_info", words, ["endpoint", "release"], multiprocess_mode="livemax")


@cache
def requests() -> Counter:
    from prometheus_client import Counter

    return Counter("nbdeploy_requests_total", "Requests to /predict", ["status", "role"])


@cache
def seconds() -> Histogram:
    from prometheus_client import Histogram

    words = "From the arrival of a request to /predict to its answer"
    return Histogram("nbdeploy_request_duration_seconds", words, ["role"], buckets=_BUCKETS)


@cache
def waiting() -> Gauge:
    from prometheus_client import Gauge

    words = "Requests that wait for the model while it computes others"
    return Gauge("nbdeploy_requests_waiting", words, multiprocess_mode="livesum")


@cache
def running() -> Gauge:
    from prometheus_client import Gauge

    words = "Requests that the model is computing, all of one call together"
    return Gauge("nbdeploy_requests_running", words, multiprocess_mode="livesum")


def count(status: str, role: str, elapsed: float) -> None:
    """Count a request to the model and observe its duration in seconds."""
    _counter(status, role).inc()
    _observer(role).observe(elapsed)


@cache
def _observer(role: str) -> Histogram:
    return seconds().labels(role)


@cache
def _counter(status: str, role: str) -> Counter:
    return requests().labels(status, role)


@cache
def records_lost() -> Counter:
    from prometheus_client import Counter

    return Counter("nbdeploy_records_lost_total", "Records that could not be written")


@cache
def feedback() -> Counter:
    from prometheus_client import Counter

    return Counter("nbdeploy_feedback_total", "Ground truth posted to /feedback, by outcome", ["outcome"])


def exposition_of_workers() -> tuple[bytes, str]:
    """Return the metrics of all workers, from the files in their folder, as text, and its content type."""
    from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
    from prometheus_client.multiprocess import MultiProcessCollector

    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry), CONTENT_TYPE_LATEST


def exposition() -> tuple[bytes, str]:
    """Return the default registry as text, and its content type."""
    from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

    return generate_latest(), CONTENT_TYPE_LATEST
