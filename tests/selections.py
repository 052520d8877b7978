"""Tables of candidates, as a choice among models makes them."""

from jupyter_deploy.domain.base import now
from jupyter_deploy.domain.evidence.estimate import Interval
from jupyter_deploy.domain.model_selection.constraints import judged, parse_constraints
from jupyter_deploy.domain.model_selection.selection import (
    CandidateModel,
    ModelSelection,
    Performance,
    Score,
    Spread,
)


def spread(value):
    return Spread(median=value, low=value * 0.9, high=value * 1.2)


def row(name, score, latency, *, engine="native", memory=100.0, cost=None, groups=()):
    performance = Performance(
        batch_rows=100,
        rounds=7,
        latency_p50_ms=spread(latency),
        latency_p99_ms=spread(3 * latency),
        batch_p50_ms=spread(2 * latency),
        batch_p99_ms=spread(4 * latency),
        rows_per_second=spread(50_000 / latency),
        predictions_per_second=spread(1000 / latency),
        memory_mb=memory,
        load_s=1.0,
    )
    return CandidateModel(
        name=name,
        engine=engine,
        tag=f"{name}:0123456789ab",
        score=Score(value=score, interval=Interval(low=score - 0.02, high=score + 0.02)),
        groups=groups,
        performance=performance,
        artifact_mb=0.1,
        cost_per_million=cost,
    )


def table(rows, *constraints, greater_is_better=True, **more):
    gates = parse_constraints(constraints, "accuracy", has_stable=any(one.name == "stable" for one in rows))
    return ModelSelection(
        metric="accuracy",
        greater_is_better=greater_is_better,
        rows_of_data=500,
        level=0.95,
        constraints=constraints,
        candidates=judged(rows, gates, "accuracy", greater_is_better=greater_is_better),
        at=now(),
        **more,
    )
