"""The calls of a model during a run, and the metrics that no notebook has to record. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from jupyter_deploy.domain.base import Value
from jupyter_deploy.domain.evidence.agreement import Rule
from jupyter_deploy.domain.evidence.statistic import statistic_of

from .validation import Metric

AGREEMENT = "agreement"
"""The metric of calls that needs stable's answers too, although no gate on it names ``stable``."""

LATENCIES = {"latency_p50_ms": "p50", "latency_p95_ms": "p95", "latency_p99_ms": "p99"}

OF_CALLS = frozenset({*LATENCIES, "error_rate", AGREEMENT})
"""Metrics of a notebook's calls to the model, which need no code."""


class Call(Value):
    """One request to the model under test.

    ``latency_ms`` is measured inside the server, from the request's head to the answer. ``asked`` is a digest of the
    instances. ``answers`` None: the call failed, or its answers exceed the limit.
    """

    latency_ms: float
    status: int
    asked: str
    answers: tuple[Any, ...] | None = None


class Calls(Value):
    """The calls of one run in their order; ``dropped`` counts the later calls beyond the limit."""

    calls: tuple[Call, ...] = ()
    dropped: int = 0

    @property
    def left_out(self) -> str:
        """The calls beyond the limit, which the metrics leave out, in words; empty: there are none."""
        unanswered = sum(call.status == 200 and call.answers is None for call in self.calls)
        parts = (
            [f"the {self.dropped} requests after the first {len(self.calls)} are in no figure"] if self.dropped else []
        )
        if unanswered:
            parts.append(f"{unanswered} requests are not in '{AGREEMENT}', since their answers exceed the limit")
        return "; ".join(parts)


def metrics_of_calls(calls: Calls, stable: Calls | None, rule: Rule, recorded: Iterable[Metric]) -> tuple[Metric, ...]:
    """Return the latencies and the error rate of a run's calls, and the agreement with stable.

    Each call is one row in the calls' order, so that a run with stable and the same calls is paired with it; each row
    of ``agreement`` is an instance. The notebook's own metrics of these names take precedence. Refusals (below 500)
    are no errors, as in a comparison.

    Parameters
    ----------
    stable
        The same notebook's calls of stable: in its run with stable as the model, or through ``reference()``.
    """
    own = {metric.name for metric in recorded if not metric.group}
    metrics = []
    if calls.calls:
        latencies = [call.latency_ms for call in calls.calls]
        metrics = [_metric(name, statistic, latencies) for name, statistic in LATENCIES.items()]
        metrics.append(_metric("error_rate", "mean", [float(call.status >= 500) for call in calls.calls]))
    agreed = agreements(calls, stable, rule) if stable else []
    if agreed:
        metrics.append(_metric(AGREEMENT, "mean", agreed))
    return tuple(metric for metric in metrics if metric.name not in own)


def agreements(calls: Calls, stable: Calls, rule: Rule) -> list[float]:
    """Return 1 for each instance on which the two agree, else 0, in the order of the calls.

    The k-th call with the same instances is compared with stable's k-th call. Calls that only one of them got, and
    calls that stable failed or refused, are left out. If stable answered and the model failed or refused, the
    instances count as disagreement.
    """
    of_stable = defaultdict(list)
    for call in stable.calls:
        of_stable[call.asked].append(call)
    seen: dict[str, int] = defaultdict(int)
    agreed: list[float] = []
    for call in calls.calls:
        place = seen[call.asked]
        seen[call.asked] += 1
        others = of_stable[call.asked]
        expected = others[place].answers if place < len(others) else None
        if expected is None:
            continue
        if call.status != 200:
            agreed += [0.0] * len(expected)
        elif call.answers is not None:
            agreed += [float(rule.compare(*pair).agree) for pair in zip(expected, call.answers, strict=True)]
    return agreed


def _metric(name: str, statistic: str, rows: Sequence[float]) -> Metric:
    return Metric(name=name, value=statistic_of(statistic, rows), n=len(rows), statistic=statistic, rows=tuple(rows))
