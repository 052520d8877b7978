"""Segments: how often e-BH names one wrongly, and how soon it names one rightly, with looks all along."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from jupyter_deploy.domain.evidence.segments import e_value_of, mean_evidence, named
from jupyter_deploy.domain.evidence.sequential import proportion
from jupyter_deploy.domain.evidence.verdict import AGREEMENT

from .streams import SEED, percent
from .table import Row

_STREAMS, _SEGMENTS, _LOOKS = 200, 20, 25


def rows() -> Iterator[Row]:
    """Measure false names, and the power."""
    names, some = _named(np.full(_SEGMENTS, AGREEMENT), 40)
    scenario = f"{_SEGMENTS} segments that agree on exactly 99 %, up to {_LOOKS * 40:,} requests each"
    yield Row(scenario, "some segment ever named `differs`", "≤ 10 %", percent(float(names.any(axis=(1, 2)).mean())))
    yield Row(scenario, "evidence for some segment ever 20", "≤ 5 %", percent(float((some >= 20).any(axis=1).mean())))
    agreements = np.array([0.9] * 2 + [AGREEMENT] * (_SEGMENTS - 2))
    names, _ = _named(agreements, 40)
    wrong = names[:, :, 2:].sum(axis=2) / np.maximum(names.sum(axis=2), 1)
    scenario = f"2 of {_SEGMENTS} segments agree on 90 %, the others on 99 %"
    yield Row(
        scenario, "false names among the named, mean at the worst look", "≤ 10 %", percent(wrong.mean(axis=0).max())
    )
    reached = names[:, :, :2].mean(axis=2).mean(axis=0)
    for look in (2, 4, 9):
        yield Row(
            scenario, f"the two named after {(look + 1) * 40} requests each", "high", percent(float(reached[look]))
        )


def _named(agreements: np.ndarray, step: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the names (stream, look, segment) and the mean e-values (stream, look), with a look every ``step``."""
    chance = np.random.default_rng(SEED)
    agree = chance.binomial(step, agreements, (_STREAMS, _LOOKS, len(agreements))).cumsum(axis=1)
    names = np.zeros(agree.shape, dtype=bool)
    some = np.zeros(agree.shape[:2])
    for stream in range(_STREAMS):
        for look in range(_LOOKS):
            n = (look + 1) * step
            values = [e_value_of(proportion(int(x), n).log_evidence_below(AGREEMENT)) for x in agree[stream, look]]
            names[stream, look, list(named(values))] = True
            some[stream, look] = mean_evidence(values)
    return names, some
