"""What a model was asked while a notebook ran, and the metrics that no notebook has to record. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from jupyter_deploy.domain.base import Value
from jupyter_deploy.domain.evidence.agreement import Rule
from jupyter_deploy.domain.evidence.statistic import statistic_of

from .validation import Metric

AGREEMENT = "agreement"
"""The one metric of calls that cannot be had without asking stable too, though no gate on it names ``stable``."""

LATENCIES = {"latency_p50_ms": "p50", "latency_p95_ms": "p95", "latency_p99_ms": "p99"}


class Call(Value):
    """One request to the model under test.

    ``latency_ms`` is taken inside the server, from the request's head to the answer. ``asked`` is a digest of the
    instances, equal where they are. ``answers`` None: it failed, or they were beyond what is kept.
    """

    latency_ms: float
    status: int
    asked: str
    answers: tuple[Any, ...] | None = None


class Calls(Value):
    """The calls of one run in their order; ``dropped`` more came after those that are kept."""

    calls: tuple[Call, ...] = ()
    dropped: int = 0

    @property
    def left_out(self) -> str:
        """What of it is not in the metrics, since more was asked than is kept; empty: nothing."""
        unanswered = sum(call.status == 200 and call.answers is None for call in self.calls)
        told = (
            [f"what was asked after {len(self.calls)} requests ({self.dropped} more) is in no figure"]
            if self.dropped
            else []
        )
        if unanswered:
            told.append(f"{unanswered} requests are not in '{AGREEMENT}', since their answers were too many to be kept")
        return "; ".join(told)


def metrics_of_calls(asked: Calls, stable: Calls | None, rule: Rule, recorded: Iterable[Metric]) -> tuple[Metric, ...]:
    """Latencies and the rate of errors of a run's calls, and the agreement with stable.

    One row a call in the calls' order, so that a run of stable that asked the same is paired with it; of ``agreement``
    one row an instance. A metric that the notebook recorded by that name wins. Refusals (below 500) are no errors, as
    in a comparison.

    Parameters
    ----------
    stable
        What stable was asked by the same notebook: by its run with stable as the model, or by way of ``reference()``.
    """
    taken = {metric.name for metric in recorded if not metric.group}
    found = []
    if asked.calls:
        latencies = [call.latency_ms for call in asked.calls]
        found = [_metric(name, statistic, latencies) for name, statistic in LATENCIES.items()]
        found.append(_metric("error_rate", "mean", [float(call.status >= 500) for call in asked.calls]))
    agreed = agreements(asked, stable, rule) if stable else []
    if agreed:
        found.append(_metric(AGREEMENT, "mean", agreed))
    return tuple(metric for metric in found if metric.name not in taken)


def agreements(asked: Calls, stable: Calls, rule: Rule) -> list[float]:
    """1 for each instance on which the two agree, else 0, in the order of the calls.

    The k-th call with some instances is compared with stable's k-th call with the same: what only one of them was
    asked, since a notebook went on as the answers were, is left out, and so is what stable failed or refused. What
    stable answered and the model failed or refused is no agreement.
    """
    of_stable = defaultdict(list)
    for call in stable.calls:
        of_stable[call.asked].append(call)
    seen: dict[str, int] = defaultdict(int)
    found: list[float] = []
    for call in asked.calls:
        place = seen[call.asked]
        seen[call.asked] += 1
        others = of_stable[call.asked]
        expected = others[place].answers if place < len(others) else None
        if expected is None:
            continue
        if call.status != 200:
            found += [0.0] * len(expected)
        elif call.answers is not None:
            found += [float(rule.compare(*pair).agree) for pair in zip(expected, call.answers, strict=True)]
    return found


def _metric(name: str, statistic: str, rows: Sequence[float]) -> Metric:
    return Metric(name=name, value=statistic_of(statistic, rows), n=len(rows), statistic=statistic, rows=tuple(rows))
